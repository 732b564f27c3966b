"""Places in storages, by URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshopt.batch import Asset, read_assets, storage
from meshopt.errors import InputError


@pytest.mark.parametrize(
    ("base", "path", "joined"),
    [
        ("a", "b/c", "a/b/c"),
        ("", "b", "b"),
        ("a", "/b", "/b"),
        ("a", "s3://bucket/b", "s3://bucket/b"),
        ("s3://bucket/a", "b", "s3://bucket/a/b"),
        ("s3://bucket/a/", "../b", "s3://bucket/b"),
        ("s3://bucket/a", "../../../b", "s3://b"),
        ("file:///tmp/a", "b", "file:///tmp/a/b"),
    ],
)
def test_joined(base: str, path: str, joined: str) -> None:
    assert storage.join(base, path) == joined


def test_places() -> None:
    assert storage.is_url("s3://b/a")
    assert storage.is_url("simplecache::s3://b/a")
    assert not any(map(storage.is_url, ["a", "/a", "C:\\a", "a:b", "//a"]))
    assert (storage.parent("s3://b/a.csv"), storage.parent("x/a.csv"), storage.parent("a.csv")) == ("s3://b", "x", "")
    assert storage.same("s3://b/a", "s3://b/a/")
    assert storage.same("x/../y", "y")
    assert not storage.same("s3://b/a", "a")


def test_a_manifest_and_folders_in_a_storage(far: tuple[Any, str]) -> None:
    system, url = far
    system.pipe(f"{url}/in/b/views/front.png", b"1")
    system.pipe(f"{url}/in/a/views/front.png", b"22")
    system.pipe(f"{url}/in/a.csv", b"name,folder,cameras\nx,a,cameras.json\n")
    found = [a for a in read_assets(f"{url}/in", "out") if isinstance(a, Asset)]
    assert [(a.name, a.views) for a in found] == [("a", f"{url}/in/a"), ("b", f"{url}/in/b")]
    (asset,) = read_assets(f"{url}/in/a.csv", "out")
    assert isinstance(asset, Asset)
    assert asset.views == f"{url}/in/a"
    assert asset.settings[0].value == f"{url}/in/cameras.json"
    ((name, size, stamp),) = storage.stamps(f"{url}/in/a")
    assert (name, size) == ("views/front.png", "2")
    assert stamp


def test_files_come_and_go(far: tuple[Any, str], tmp_path: Path) -> None:
    system, url = far
    (tmp_path / "result/texture").mkdir(parents=True)
    (tmp_path / "result/texture/color.png").write_bytes(b"new")
    (tmp_path / "result/report.json").write_bytes(b"{}")
    system.pipe(f"{url}/r/mesh.glb", b"old")
    storage.store(tmp_path / "result", f"{url}/r", ["mesh.glb", "report.json"], "report.json")
    assert list(storage.read_all(f"{url}/r")) == [b"{}"]
    fetched = storage.fetch(f"{url}/r", tmp_path / "copy")
    assert (fetched / "texture/color.png").read_bytes() == b"new"
    sheet = storage.fetch(f"{url}/r/texture/color.png", tmp_path / "sheet")
    assert (sheet.name, sheet.read_bytes()) == ("color.png", b"new")
    storage.remove(f"{url}/r")
    storage.remove(f"{url}/r")
    with pytest.raises(InputError, match="no such file or folder"):
        storage.fetch(f"{url}/r", tmp_path / "again")


def test_names_in_a_storage_do_not_lead_out_of_the_copy(
    far: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, url = far
    system.pipe(f"{url}/a/x.png", b"1")
    root = system._strip_protocol(f"{url}/a")
    strange = {f"{root}/../../x.png": {"name": f"{root}/../../x.png", "size": 1, "type": "file"}}
    monkeypatch.setattr(type(system), "find", lambda self, path, **how: strange)
    with pytest.raises(InputError, match="no name of a file"):
        storage.fetch(f"{url}/a", tmp_path / "copy")


def test_other_failures_are_the_storage_s(far: tuple[Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    system, url = far

    def refuse(*arguments: Any, **how: Any) -> None:
        raise RuntimeError("403\nForbidden")

    monkeypatch.setattr(type(system), "exists", refuse)
    with pytest.raises(OSError, match="RuntimeError: 403 Forbidden"):
        storage.remove(f"{url}/a")


def test_buckets_are_not_made(far: tuple[Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    system, _ = far
    storage.check_bucket("far://anywhere/out")  # its paths begin with a slash, as those of disks
    monkeypatch.setattr(type(system), "_strip_protocol", lambda path: str(path).removeprefix("far://").strip("/"))
    monkeypatch.setattr(system, "exists", lambda path: path == "there")
    storage.check_bucket("far://there/out")
    with pytest.raises(InputError, match="there is no bucket 'nowhere', and none is made"):
        storage.check_bucket("far://nowhere/out")


def test_a_manifest_that_breaks_off(far: tuple[Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is lost in the middle is told of like one that was never made."""
    system, url = far
    system.pipe(f"{url}/a.jsonl", b'{"name": "a", "folder": "a"}\n')
    with storage.opened(f"{url}/a.jsonl") as file:
        monkeypatch.setattr(system, "cat_file", lambda path: 1 / 0)
        with pytest.raises(OSError, match="ZeroDivisionError") as error:
            file.readline()
    assert error.value.filename == f"{url}/a.jsonl"
