"""Files and folders appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from meshopt.errors import InputError
from meshopt.io import files
from meshopt.io.files import check_folder, staged_folder, write_file, write_files

NAMES = ("mesh.glb", "mesh.ply", "report.json")


def _content(folder: Path) -> dict[str, str]:
    """Everything below a folder, hidden files included."""
    return {str(f.relative_to(folder)): f.read_text() if f.is_file() else "/" for f in folder.rglob("*")}


def _write(folder: Path, overwrite: bool = False, **texts: str) -> None:
    with staged_folder(folder, NAMES, overwrite) as staging:
        for name, text in texts.items():
            (staging / name.replace("_", ".")).write_text(text)


def _full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_file(path, b"one")
    write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    write_file(path, b"one")
    monkeypatch.setattr(files.os, "fsync", _full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_file(path, b"two")
    assert _content(tmp_path) == {"a.bin": "one"}


def test_new_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "out"
    with staged_folder(out, NAMES) as staging:
        (staging / "mesh.glb").write_text("mesh")
        assert not out.exists()
    assert _content(tmp_path / "deep" / "er") == {"out": "/", "out/mesh.glb": "mesh"}


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "front.png").write_text("png")
    (tmp_path / "notes.txt").write_text("mine")
    _write(tmp_path, mesh_glb="mesh")
    assert _content(tmp_path) == {
        "views": "/",
        "views/front.png": "png",
        "notes.txt": "mine",
        "mesh.glb": "mesh",
    }


def test_result_needs_overwrite(tmp_path: Path) -> None:
    _write(tmp_path, mesh_glb="old")
    with pytest.raises(InputError, match=r"already holds a result \(mesh.glb\).*--overwrite"):
        _write(tmp_path, report_json="new")
    assert _content(tmp_path) == {"mesh.glb": "old"}


def test_overwrite_leaves_nothing_of_the_old_result(tmp_path: Path) -> None:
    _write(tmp_path, mesh_glb="old", mesh_ply="old")
    _write(tmp_path, overwrite=True, mesh_glb="new", report_json="new")
    assert _content(tmp_path) == {"mesh.glb": "new", "report.json": "new"}


def _fail_halfway(folder: Path, error: type[BaseException]) -> None:
    with staged_folder(folder, NAMES, True) as staging:
        (staging / "mesh.glb").write_text("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_failure_while_writing_changes_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    _write(out, mesh_glb="old")
    for folder in (out, tmp_path / "new" / "deep"):
        with pytest.raises(error):
            _fail_halfway(folder, error)
    assert _content(tmp_path) == {"out": "/", "out/mesh.glb": "old"}


@pytest.mark.parametrize("moves", range(6))
def test_failing_disk_brings_the_old_result_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    """The disk dies after any number of renames (2 old files out, 2 new files in: the fifth never comes)."""
    _write(tmp_path, mesh_glb="old", mesh_ply="old")
    before = _content(tmp_path)
    rename = Path.rename
    done = 0

    def failing(self: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done == moves + 1:
            raise OSError(errno.EIO, "I/O error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    if moves < 4:
        with pytest.raises(OSError, match="I/O error"):
            _write(tmp_path, overwrite=True, mesh_glb="new", report_json="new")
        assert _content(tmp_path) == before
    else:
        _write(tmp_path, overwrite=True, mesh_glb="new", report_json="new")
        assert _content(tmp_path) == {"mesh.glb": "new", "report.json": "new"}


def test_full_disk_at_the_end_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "fsync", _full_disk)
    with pytest.raises(OSError, match="No space left") as caught:
        _write(tmp_path / "a" / "b", mesh_glb="mesh")
    assert caught.value.filename == str(tmp_path / "a" / "b")
    assert _content(tmp_path) == {}


def test_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match=r"out: is a file, expected a folder"):
        check_folder(tmp_path / "out", NAMES, True)
    with pytest.raises(InputError, match="cannot write into"):
        check_folder(tmp_path / "out" / "below", NAMES, True)


def test_unwritable_place_is_named_before_the_work() -> None:
    with pytest.raises(InputError, match="cannot write into /proc"):
        check_folder(Path("/proc/out"), NAMES, False)


def test_check_changes_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b", NAMES, False)
    check_folder(tmp_path, NAMES, False)
    assert _content(tmp_path) == {}


def test_folder_has_the_usual_rights(tmp_path: Path) -> None:
    _write(tmp_path / "out", mesh_glb="mesh")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_files_beside_each_other_replace_older_ones_and_leave_others(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "c").write_bytes(b"other")
    write_files(tmp_path, {"a": b"new", "b": b"more"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a": b"new", "b": b"more", "c": b"other"}
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "c").stat().st_mode


def test_files_never_replace_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "precious").write_bytes(b"x")
    for content in ({"b": b"new"}, {"a": b"new", "b": b"more"}):
        with pytest.raises(IsADirectoryError):
            write_files(tmp_path, content)
    assert [file.name for file in tmp_path.rglob("*")] == ["b", "precious"]
