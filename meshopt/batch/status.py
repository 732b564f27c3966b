"""What became of each asset: a file of lines that only grows, and is whole after a power cut.

Every line is on the disk before anybody hears of it. In a storage, where files cannot grow, the lines of a batch are
written as files of `status/`, at the latest every few seconds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from meshopt.batch import storage
from meshopt.errors import InputError

NAME = "status.jsonl"
FOLDER = "status"  # of its parts, in a storage
EVERY = 5.0  # seconds between two writes to a storage
PART = 1 << 20  # bytes of a part after which the next one begins
Record = dict[str, Any]


class Status:
    """The file, open for reading and writing, and where the last line of each asset begins in it. Lines without an
    asset are of batches that began.

    Raises InputError where it is no ordinary file, cannot be written, or another process has it open.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            self.stream = os.fdopen(os.open(file, flags, 0o666), "r+b")
        except OSError as error:
            raise InputError(f"{file}: cannot be written ({error.strerror}), expected an ordinary file") from None
        _lock(self.stream, file)
        self.places, self.end = _index(self.stream)
        self.stream.truncate(self.end)  # a line that a power cut has left half

    def __enter__(self) -> Status:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stream.close()

    def last(self, name: str) -> Record | None:
        """The last line of an asset."""
        return None if name not in self.places else _read(self.stream, self.places[name])

    def append(self, *records: Record) -> None:
        """Adds lines; they are on the disk when this returns. Raises InputError where the disk fails."""
        lines = [json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n" for record in records]
        try:
            self.stream.seek(self.end)
            self.stream.write(b"".join(lines))
            self.stream.flush()
            os.fsync(self.stream.fileno())
        except OSError as error:
            raise InputError(f"{self.file}: cannot be written ({error.strerror}); --resume goes on from here") from None
        for record, line in zip(records, lines, strict=True):
            if "asset" in record:
                self.places[record["asset"]] = self.end
            self.end += len(line)

    def clear(self) -> None:
        """Removes all lines."""
        self.stream.truncate(0)
        self.places, self.end = {}, 0


class StoredStatus(Status):
    """The same with its lines in a storage; the file is a copy. `dry`: nothing is stored."""

    def __init__(self, file: Path, url: str, dry: bool = False) -> None:
        with file.open("wb") as copy:
            for part in storage.read_all(storage.join(url, FOLDER)):
                copy.write(part if part.endswith(b"\n") else part + b"\n")
        super().__init__(file)
        self.url, self.dry = url, dry
        self.run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
        self.begin, self.stored, self.number, self.when = self.end, self.end, 0, time.monotonic()

    def append(self, *records: Record) -> None:
        """Adds lines; they are stored when some seconds have gone since the last time, and at the end."""
        super().append(*records)
        if time.monotonic() - self.when >= EVERY:
            self.store()

    def clear(self) -> None:
        """Removes all lines."""
        super().clear()
        self.begin = self.stored = 0
        if not self.dry:
            storage.remove(storage.join(self.url, FOLDER))

    def store(self) -> None:
        """Writes the part again, with the lines that are new."""
        if self.dry or self.stored == self.end:
            return
        self.stream.seek(self.begin)
        part = self.stream.read(self.end - self.begin)
        storage.write(storage.join(self.url, f"{FOLDER}/{self.run}-{self.number:06}.jsonl"), part)
        self.stored, self.when = self.end, time.monotonic()
        if len(part) >= PART:
            self.begin, self.number = self.end, self.number + 1

    def __exit__(self, *exception: object) -> None:
        try:
            self.store()
        finally:
            super().__exit__(*exception)


def _index(stream: BinaryIO) -> tuple[dict[str, int], int]:
    """Where the last line of each asset begins, and where the last whole line ends."""
    places: dict[str, int] = {}
    begin = 0
    stream.seek(0)
    for line in stream:
        if not line.endswith(b"\n"):
            break
        record = _parsed(line)
        if record is not None:
            places[record["asset"]] = begin
        begin += len(line)
    return places, begin


def _read(stream: BinaryIO, place: int) -> Record | None:
    stream.seek(place)
    return _parsed(stream.readline())


def _parsed(line: bytes) -> Record | None:
    """The line, unless it is damaged."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    sound = isinstance(record, dict) and isinstance(record.get("asset"), str) and isinstance(record.get("state"), str)
    return record if sound else None


def records(status: Status) -> Iterator[Record]:
    """The last line of each asset, by name."""
    for name in sorted(status.places):
        record = status.last(name)
        if record is not None:
            yield record


def _lock(stream: BinaryIO, file: Path) -> None:
    """Keeps other processes out, where the system can; it ends with the process."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise InputError(f"{file}: another batch is writing there; wait for its end or choose another folder") from None
