"""Files that are written whole or not at all, and files that are read whole, if they are files and not too large.

New content goes to a hidden neighbour on the same disk, is flushed to it, and takes its name by a rename:
whoever reads sees the old content or the new, and a full disk or a Ctrl-C leaves the old. Failures are
OSErrors.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from meshopt.errors import InputError

MAX_TEXT = 32 * 1024 * 1024  # bytes of a file of text that is read as a whole
_LONE = re.compile(r"\\u[dD][89a-fA-F]")  # an escape that stands for half a character, if the other half is missing
_MARK = ".meshopt-"  # how the hidden neighbours begin


def read_bytes(path: Path, most: int = MAX_TEXT) -> bytes:
    """The content of a regular file. Raises OSError, also for pipes and devices, and for more than `most` bytes."""
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "It is a pipe or a device, not a file", str(path))
    if found.st_size > most:
        raise OSError(errno.EFBIG, f"It has {found.st_size} bytes, more than the limit of {most}", str(path))
    return path.read_bytes()


def read_json(path: Path, most: int = MAX_TEXT) -> Any:
    """What a JSON file holds. Raises OSError as `read_bytes` does, ValueError for what is no JSON in UTF-8."""
    text = read_bytes(path, most).decode("utf-8")
    try:
        tree = json.loads(text)
        if _LONE.search(text):
            json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds halves of characters (lone surrogates)") from None
    return tree


def write_file(path: Path, data: bytes) -> None:
    """Writes one file whole or not at all; the folder must exist."""
    with staged_file(path) as file:
        file.write(data)


@contextlib.contextmanager
def staged_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which becomes `path` when the block ends well; the folder must exist."""
    descriptor, name = tempfile.mkstemp(prefix=_MARK, dir=path.parent)
    staged = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staged.chmod(0o666 & ~_umask())
        staged.replace(path)
    except BaseException as error:
        staged.unlink(missing_ok=True)
        if isinstance(error, OSError):  # name what the user named, not the hidden neighbour
            error.filename = str(path)
        raise
    _sync_folder(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Removes what a process that was killed has left in a folder; no other may be writing there."""
    with os.scandir(folder) as entries:
        found = [Path(entry.path) for entry in entries if entry.name.startswith(_MARK)]
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files beside each other, by name, all of them whole or none; the folder must exist."""
    if len(files) == 1:
        ((name, data),) = files.items()
        write_file(folder / name, data)
        return
    for name in files:
        if (folder / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder / name))
    staging = Path(tempfile.mkdtemp(prefix=_MARK, dir=folder))
    try:
        for name, data in files.items():
            (staging / name).write_bytes(data)
        _sync(staging)
        _commit(staging, folder, ())
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_folder(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    """Raises InputError where a result with files `names` cannot be put into `folder`; changes nothing.

    A folder that holds other files is fine; one that holds any of `names` needs `overwrite`.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder}: is a file, expected a folder to write into")
    present = [name for name in names if (folder / name).exists()]
    if present and not overwrite:
        listed = ", ".join(present[:8]) + (f" and {len(present) - 8} more" if len(present) > 8 else "")
        raise InputError(
            f"--output {folder}: already holds a result ({listed}); "
            "choose another folder or replace it with --overwrite"
        )
    parent = _existing(folder)
    try:  # what os.access says is not to be trusted on read-only and network disks
        Path(tempfile.mkdtemp(prefix=_MARK, dir=parent)).rmdir()
    except OSError as error:
        raise InputError(f"--output {folder}: cannot write into {parent} ({error.strerror})") from None


@contextlib.contextmanager
def staged_folder(folder: Path, names: Iterable[str], overwrite: bool = False) -> Iterator[Path]:
    """A folder to write a result into, which becomes `folder` when the block ends well.

    `names` are all files a result can have, at most one folder deep: those of an older result go when the new one is
    complete, other files in `folder` are left alone. When the block or the disk fails, `folder` is as it was before and
    nothing is left behind.
    """
    names = tuple(names)
    check_folder(folder, names, overwrite)
    made = _make_parents(folder.parent)
    try:
        staging = Path(tempfile.mkdtemp(prefix=_MARK, dir=folder if folder.is_dir() else folder.parent))
        try:
            staging.chmod(0o777 & ~_umask())
            yield staging
            _sync(staging)
            _commit(staging, folder, names)
        except OSError as error:  # name what the user named, not the hidden neighbour
            if error.filename is None or str(staging) in str(error.filename):
                error.filename = str(folder)
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except BaseException:
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def _commit(staging: Path, folder: Path, names: tuple[str, ...]) -> None:
    """Puts the staged files in place; on failure the older ones come back."""
    if not folder.exists():
        staging.rename(folder)
        _sync_folder(folder.parent)
        return
    new = sorted(str(file.relative_to(staging)) for file in staging.rglob("*") if file.is_file())
    old = [name for name in dict.fromkeys([*names, *new]) if (folder / name).exists()]
    retired = staging / f"{_MARK}old"
    for inner in {Path(name).parent for name in (*old, *new)}:
        (retired / inner).mkdir(parents=True, exist_ok=True)
        (folder / inner).mkdir(exist_ok=True)
    try:
        for name in old:
            (folder / name).rename(retired / name)
        for name in new:
            (staging / name).rename(folder / name)
    except BaseException:
        for name in new:
            if not (staging / name).exists():
                (folder / name).rename(staging / name)
        for name in old:
            if (retired / name).exists():
                (retired / name).rename(folder / name)
        raise
    finally:
        for inner in {Path(name).parent for name in (*old, *new)} - {Path()}:
            with contextlib.suppress(OSError):  # it holds something
                (folder / inner).rmdir()
    _sync_folder(folder)


def _sync(folder: Path) -> None:
    for file in folder.iterdir():
        if file.is_dir():
            _sync(file)
            continue
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Makes renames durable, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _existing(path: Path) -> Path:
    """The nearest folder above or at `path` that is there."""
    for candidate in (path, *path.absolute().parents):
        if candidate.exists():
            return candidate
    return Path(path.anchor or ".")


def _make_parents(folder: Path) -> list[Path]:
    """Makes `folder` and those above it; gives the ones that were not there, outermost first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
