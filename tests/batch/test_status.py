"""The status: whole after a power cut, one process at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshopt.batch import status as module
from meshopt.batch.status import Record, Status, StoredStatus, records
from meshopt.errors import InputError


def line(name: str, state: str = "done", **more: object) -> Record:
    return {"asset": name, "state": state, **more}


def test_the_last_line_of_each_asset_counts(tmp_path: Path) -> None:
    with Status(tmp_path / "s") as status:
        status.append(line("b", "retried"), line("a"))
        status.append(line("b", seconds=2))
        assert status.last("b") == line("b", seconds=2)
        assert status.last("c") is None
    with Status(tmp_path / "s") as status:
        assert list(records(status)) == [line("a"), line("b", seconds=2)]


def test_a_power_cut_costs_the_line_that_was_being_written(tmp_path: Path) -> None:
    file = tmp_path / "s"
    with Status(file) as status:
        status.append(line("a"))
        first = status.end
        status.append(line("é"))
    content = file.read_bytes()
    for size in range(first, len(content)):
        file.write_bytes(content[:size])
        with Status(file) as status:
            assert [record["asset"] for record in records(status)] == ["a"]
            status.append(line("b"))
        with Status(file) as status:
            assert [record["asset"] for record in records(status)] == ["a", "b"]


def test_damaged_lines_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "s"
    with Status(file) as status:
        status.append(line("a"))
    with file.open("ab") as stream:
        stream.write(b"\0" * 100 + b"\n[1]\n{}\n\xff\n" + b"[" * 50_000 + b'\n{"asset": 1, "state": "done"}\n')
    with Status(file) as status:
        status.append(line("b"))
        assert [record["asset"] for record in records(status)] == ["a", "b"]


@pytest.mark.skipif(os.name == "nt", reason="needs locks")
def test_one_batch_at_a_time(tmp_path: Path) -> None:
    with Status(tmp_path / "s"), pytest.raises(InputError, match="another batch is writing there"):
        Status(tmp_path / "s")
    with Status(tmp_path / "s"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_it_is_an_ordinary_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(InputError, match="expected an ordinary file"):
            Status(tmp_path / name)
    assert (tmp_path / "other").read_text() == "mine"


def test_in_a_storage(far: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 100)
    monkeypatch.setattr(module, "EVERY", 0.0)
    _, url = far
    with StoredStatus(tmp_path / "a", url) as status:
        for number in range(20):
            status.append(line(f"a{number}"))
    monkeypatch.setattr(module, "EVERY", 1000.0)
    with StoredStatus(tmp_path / "b", url) as status:
        assert len(status.places) == 20
        status.append(line("a3", "failed"))
        with StoredStatus(tmp_path / "c", url, dry=True) as early:
            assert early.last("a3") == line("a3")
            early.append(line("never"))
    with StoredStatus(tmp_path / "d", url) as status:
        assert status.last("a3") == line("a3", "failed")
        assert status.last("never") is None
        status.clear()
    with StoredStatus(tmp_path / "e", url) as status:
        assert not status.places
