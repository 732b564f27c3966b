"""How kernels are compiled, where their machine code is kept, and whether the coming run compiles them first.

numba writes it beside the sources, or to the user's cache folder, and where it may do neither it refuses to import a
kernel at all. No import of numba or torch here: `import meshopt` calls `place_cache`.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
VARIABLE = "NUMBA_CACHE_DIR"
# options of numba.njit: compiling is faster without the wrappers that make a kernel callable from C and from Python
KERNEL = {"cache": True, "nogil": True, "no_cfunc_wrapper": True}
INNER = {**KERNEL, "no_cpython_wrapper": True}  # for kernels that only kernels call: a call from Python crashes

logger = logging.getLogger(__name__)


def place_cache(package: Path = PACKAGE) -> Path | None:
    """Makes the kernels importable where neither the package nor the user's cache folder can be written.

    Then NUMBA_CACHE_DIR is set to a folder of this user's own in a temporary place, which is given; else None. Any
    later process of the user finds the code there.
    """
    given = os.environ.get(VARIABLE)
    if (
        (given and writable(Path(given).absolute()))
        or writable(user_cache())
        or all(map(writable, _beside_sources(package)))
    ):
        return None
    folder = _temporary_cache()
    if folder is None:
        logger.warning("no folder for compiled kernels can be written: set %s to one", VARIABLE)
        return None
    os.environ[VARIABLE] = str(folder)
    if "numba" in sys.modules:  # it has read the environment already
        sys.modules["numba"].core.config.reload_config()
    logger.info("compiled kernels are kept in %s, as the usual places cannot be written", folder)
    return folder


def writable(folder: Path) -> bool:
    """Whether files can be made in the folder, which may have to be made itself."""
    if not folder.is_absolute():  # "~", where there is no home
        return False
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def user_cache() -> Path:
    """The folder that numba takes where it cannot write beside the sources."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 (Path.home raises where there is none)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "numba" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "numba"
    return Path(os.environ.get("XDG_CACHE_HOME", home / ".cache")) / "numba"


def _beside_sources(package: Path) -> list[Path]:
    """The __pycache__ of the package and of those in it."""
    with os.scandir(package) as entries:
        folders = [Path(e.path) for e in entries if e.is_dir() and e.name != "__pycache__"]
    return [folder / "__pycache__" for folder in (package, *folders)]


def _temporary_cache() -> Path | None:
    """A folder that nobody else can write: what lies there is loaded as machine code."""
    import tempfile

    user = os.getuid() if hasattr(os, "getuid") else "user"
    for place in _temporary_places():
        folder = place / f"meshopt-kernels-{user}"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            if _private(folder):
                return folder
            return Path(tempfile.mkdtemp(prefix="meshopt-kernels-", dir=place))
        except OSError:
            continue
    return None


def _temporary_places() -> list[Path]:
    import tempfile

    try:
        return [Path(tempfile.gettempdir()), Path("/dev/shm")]
    except FileNotFoundError:  # none can be written
        return [Path("/dev/shm")]


def _private(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return writable(folder)
    found = folder.lstat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o077 and not folder.is_symlink() and writable(folder)


@cache
def share_cache() -> None:
    """Makes this process wait for others of this kind while they put a kernel into the cache.

    Two that save a kernel for different types at once may give both the same file, and one of them the other's code.
    For processes that compile the same kernels at once.
    """
    from numba.core.caching import IndexDataCacheFile

    save = IndexDataCacheFile.save

    def locked(self: Any, key: Any, data: Any) -> None:
        with _locked(Path(f"{self._index_path}.lock")):
            save(self, key, data)

    IndexDataCacheFile.save = locked


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Within it no other process has this file locked; where the system cannot lock files, it does nothing."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with file.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def patient_collection() -> Iterator[None]:
    """Within this context Python looks for garbage less often: it takes a fifth of the time that compiling takes.

    For a program's own use, as it concerns the whole process.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def compiled_share(modules: Mapping[str, Any] | None = None) -> float:
    """Share of the imported kernels whose compiled code is in numba's cache and not older than its source.

    1.0 where there are no kernels. Looks at the names and dates of files only; `modules` is sys.modules.
    """
    kernels = [
        kernel
        for name, module in sorted((sys.modules if modules is None else modules).items())
        if name.startswith("meshopt.") and name.endswith("kernels")
        for kernel in vars(module).values()
        if hasattr(kernel, "stats") and getattr(kernel, "__module__", None) == name
    ]
    return sum(map(_is_compiled, kernels)) / len(kernels) if kernels else 1.0


def _is_compiled(kernel: Any) -> bool:
    if not kernel.stats.cache_path:  # not cached at all
        return False
    code = kernel.py_func.__code__
    source = Path(code.co_filename)
    pattern = f"*{kernel.py_func.__qualname__}-{code.co_firstlineno}.py*.nbi"
    newest = max((file.stat().st_mtime for file in Path(kernel.stats.cache_path).glob(pattern)), default=0.0)
    return newest >= source.stat().st_mtime
