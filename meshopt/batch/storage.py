"""Files in an object storage, by URL, through fsspec; paths without a scheme are this machine's own.

fsspec is imported for URLs alone. What is missing there is an InputError, whatever else goes wrong an OSError.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, cast

from meshopt.errors import InputError
from meshopt.io.images import SUFFIXES

_URL = re.compile(r"[A-Za-z][\w+.-]*(::[A-Za-z][\w+.-]*)*://")
READ = (*SUFFIXES, ".json")  # that an asset is read from
DEPTH = 2  # folders, its own included


def is_url(place: str) -> bool:
    """Whether it is a URL, as s3://bucket/assets."""
    return _URL.match(place) is not None


def join(base: str, path: str) -> str:
    """The path, relative to a folder or URL; one that is absolute, or a URL, is its own."""
    if is_url(path):
        return path
    path = os.path.expanduser(path)  # noqa: PTH111 (a text stays one)
    if not is_url(base):
        return os.path.join(base, path)  # noqa: PTH118
    scheme, _, rest = base.partition("://")
    whole = posixpath.normpath(posixpath.join("/", rest.strip("/"), path.lstrip("/")))  # .. ends at the top
    return f"{scheme}://{'/' if rest.startswith('/') else ''}{whole.lstrip('/')}"


def parent(place: str) -> str:
    """The folder that a file is in."""
    return place.rpartition("/")[0] if is_url(place) else os.path.dirname(place)  # noqa: PTH120


def same(first: str, second: str) -> bool:
    """Whether both are the same place."""
    if is_url(first) or is_url(second):
        return first.rstrip("/") == second.rstrip("/")
    return Path(first).expanduser().resolve() == Path(second).expanduser().resolve()


def is_file_here(base: str, path: str) -> bool:
    """Whether a path relative to a folder of this machine is a file."""
    return not is_url(base) and not is_url(path) and "\0" not in path and Path(join(base, path)).is_file()


class _Stream(RawIOBase):
    """A file of a storage; what fails while it is read is reported as everything else."""

    def __init__(self, url: str, file: Any) -> None:
        self.url, self.file = url, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _reported(self.url):
            found = self.file.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self.file.close()
        super().close()


def opened(place: str) -> BufferedReader:
    """The file, for reading bytes: to be closed. Raises InputError, OSError."""
    if is_url(place):
        with _reported(place):
            system, path = _system(place)
            return BufferedReader(_Stream(place, system.open(path, "rb")))
    try:
        return Path(place).expanduser().open("rb")
    except OSError as error:
        raise InputError(f"{place}: cannot be read ({error.strerror})") from None


def check_bucket(url: str) -> None:
    """Raises InputError where the bucket or container of an object storage is not there: file systems would make it."""
    with _reported(url):
        system, path = _system(url)
        bucket = path.partition("/")[0]
        if bucket and not system.exists(bucket):  # others' paths begin with a slash
            raise InputError(f"{url}: there is no bucket {bucket!r}, and none is made")


def folders_in(url: str) -> list[str]:
    """Names of the folders right inside one, sorted."""
    with _reported(url):
        system, path = _system(url)
        found = [entry["name"].rstrip("/") for entry in system.ls(path, detail=True) if entry["type"] == "directory"]
    return sorted(posixpath.basename(name) for name in found if name != path.rstrip("/"))


def stamps(place: str) -> list[tuple[str, ...]]:
    """Name, size and time (in a storage its tag, where there is one) of what would be read there; may be none.

    Of a folder: images and JSON files in it and in its folders.
    """
    if is_url(place):
        with _reported(place):
            entries = _entries(place)
        tags = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
        return [(name, str(e["size"]), str(next((e[t] for t in tags if t in e), ""))) for name, e in entries]
    path = Path(place).expanduser()
    return sorted((name, str(s.st_size), str(s.st_mtime_ns)) for name, s in _stats(str(path)))


def _stats(path: str, depth: int = DEPTH) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir() and depth > 1 and not entry.name.startswith("."):
                    yield from ((f"{entry.name}/{name}", found) for name, found in _stats(entry.path, depth - 1))
                elif entry.name.lower().endswith(READ) and entry.is_file():
                    yield entry.name, entry.stat()
    except NotADirectoryError:
        yield Path(path).name, Path(path).stat()
    except (OSError, ValueError):  # whoever reads it will say so
        return


def fetch(url: str, folder: Path) -> Path:
    """Copies a file, or the images and JSON files of a folder, into a folder; where the file or folder is then.

    Raises InputError, OSError.
    """
    with _reported(url):
        system, root = _system(url)
        entries = _entries(url)
        if not entries:
            raise InputError(f"{url}: holds no images")
        for name, entry in entries:
            target = folder.joinpath(*name.split("/")) if name else folder / posixpath.basename(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            system.get_file(entry["name"], str(target))
    return folder if entries[0][0] else folder / posixpath.basename(root)


def store(folder: Path, url: str, known: Iterable[str], last: str) -> None:
    """Copies a folder's files to a URL, the `last` one at the end; files of `known` names that are not new go."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    with _reported(url):
        system, root = _system(url)
        there = system.find(root) if system.exists(root) else []
        old = {path[len(root) :].lstrip("/"): path for path in there}
        targets = {name: f"{root.rstrip('/')}/{name}" for name in sorted(files, key=lambda name: (name == last, name))}
        for target_folder in {posixpath.dirname(target) for target in targets.values()}:
            system.makedirs(target_folder, exist_ok=True)
        for name, target in targets.items():
            system.put_file(str(files[name]), target)
        for name in set(known) & set(old) - set(files):
            system.rm_file(old[name])


def write(url: str, data: bytes | Path) -> None:
    """Writes one file, from bytes or from another."""
    with _reported(url):
        system, path = _system(url)
        system.makedirs(posixpath.dirname(path), exist_ok=True)
        if isinstance(data, Path):
            system.put_file(str(data), path)
        else:
            system.pipe_file(path, data)


def remove(url: str) -> None:
    """Removes a file or folder where there is one."""
    with _reported(url):
        system, path = _system(url)
        if system.exists(path):
            system.rm(path, recursive=True)


def read_all(url: str) -> Iterator[bytes]:
    """The contents of the files right inside a folder, by name; none where it is not there."""
    with _reported(url):
        system, path = _system(url)
        names = sorted(system.find(path, maxdepth=1)) if system.exists(path) else []
    for name in names:
        with _reported(url):
            content = system.cat_file(name)
        yield content


def _entries(url: str) -> list[tuple[str, dict[str, Any]]]:
    """What would be read there, by relative name; of a file alone the name is empty."""
    system, root = _system(url)
    if not system.exists(root):
        raise FileNotFoundError(url)
    if system.isfile(root):
        return [("", {**system.info(root), "name": root})]
    found = cast("dict[str, dict[str, Any]]", system.find(root, maxdepth=DEPTH, detail=True))
    named = [(path[len(root) :].lstrip("/"), entry) for path, entry in sorted(found.items())]
    wanted = [(name, entry) for name, entry in named if name.lower().endswith(READ)]
    strange = next((name for name, _ in wanted if {"", ".", ".."} & set(name.split("/")) or "\\" in name), None)
    if strange is not None:
        raise InputError(f"{url}: holds {strange!r}, which is no name of a file")
    return wanted


def _system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise InputError(f'{url}: is a URL, which needs fsspec: pip install "meshopt3d[batch]"') from None
    try:
        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise InputError(f"{url}: cannot be used ({' '.join(str(error).split())})") from None
    return system, str(path)


@contextmanager
def _reported(url: str) -> Iterator[None]:
    """Within it errors of any library are InputErrors, where something is missing, or OSErrors."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{url}: no such file or folder") from None
    except Exception as error:
        text = " ".join(str(error).split()) or "no message"
        raise OSError(errno.EIO, f"{type(error).__name__}: {text}", url) from error
