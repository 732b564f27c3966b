"""One asset: the same files as `meshopt reconstruct` writes, from a disk or a storage."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from meshopt import load_config, load_views, pipeline
from meshopt.batch import Asset
from meshopt.batch.jobs import Job
from meshopt.batch.making import make
from meshopt.errors import InputError
from meshopt.report.folder import write_result
from meshopt.settings import Override


@pytest.fixture(scope="module")
def expected(sample: Path, quick: tuple[Override, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `reconstruct` makes of the sample."""
    folder = tmp_path_factory.mktemp("expected")
    views = load_views(sample / "views", sample / "normals", "unique3d", options=_reading(quick))
    write_result(pipeline.reconstruct(views, load_config(None, quick)), folder)
    return folder


def _reading(quick: tuple[Override, ...]) -> object:
    from meshopt.views import LoadOptions

    return LoadOptions(**load_config(None, quick).views.model_dump(exclude={"rig"}))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_as_reconstruct(sample: Path, expected: Path, quick: tuple[Override, ...], tmp_path: Path) -> None:
    made = make(Job(quick, "", str(tmp_path), False), Asset("a", str(sample)))
    assert set(made.files) == files(expected) == files(tmp_path / "a")
    for name in ("mesh.glb", "config.yaml", "preview.png"):
        assert (tmp_path / "a" / name).read_bytes() == (expected / name).read_bytes()
    assert made.figures["closed"] is True
    assert made.figures["views"] == 4
    assert 0.5 < made.figures["silhouette_iou"] <= 1
    with pytest.raises(InputError, match="already holds a result"):
        make(Job(quick, "", str(tmp_path), False), Asset("a", str(sample)))


def test_what_was_stopped_goes_on(
    sample: Path, expected: Path, quick: tuple[Override, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, asset = (
        Job((*quick, Override("output.checkpoint_steps", 1, "-")), "", str(tmp_path), False),
        Asset("a", str(sample)),
    )
    optimize, stages = pipeline.optimize_stage, []

    def killed(*arguments: Any, **more: Any) -> Any:
        stages.append(arguments[3].name)
        if stages == ["coarse", "fine"]:
            raise MemoryError
        return optimize(*arguments, **more)

    monkeypatch.setattr(pipeline, "optimize_stage", killed)
    with pytest.raises(MemoryError):
        make(job, asset)
    assert files(tmp_path / "a") == {"checkpoint.safetensors"}
    make(job, asset)
    assert stages == ["coarse", "fine", "fine", "refine"]
    assert files(tmp_path / "a") == files(expected)
    assert (tmp_path / "a" / "mesh.glb").read_bytes() == (expected / "mesh.glb").read_bytes()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "checkpoint.safetensors").write_bytes(b"of something else")
    make(job, Asset("b", str(sample)))
    assert files(tmp_path / "b") == files(expected)


def test_settings_of_its_own(sample: Path, quick: tuple[Override, ...], tmp_path: Path) -> None:
    own = (Override("output.formats", ["ply"], "line 2"),)
    made = make(Job(quick, "", str(tmp_path), True), Asset("a", str(sample / "views"), str(sample / "normals"), own))
    assert "mesh.ply" in made.files
    assert (tmp_path / "a/mesh.ply").is_file()
    wrong = Asset("a", str(sample), None, (Override("output.faces", 3, "line 3"),))
    with pytest.raises(InputError, match=r"line 3: setting 'output\.faces'"):
        make(Job(quick, "", str(tmp_path), True), wrong)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("link", ["a", "a/texture"])
def test_links_in_the_output_are_not_followed(
    link: str, sample: Path, quick: tuple[Override, ...], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "out" / link).parent.mkdir(parents=True)
    (tmp_path / "out" / link).symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="is a link"):
        make(Job(quick, "", str(tmp_path / "out"), True), Asset("a", str(sample)))
    assert files(tmp_path / "other") == set()


def test_in_a_storage(sample: Path, expected: Path, quick: tuple[Override, ...], tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory, root = fsspec.filesystem("memory"), f"/{uuid.uuid4()}"
    memory.put(str(sample), f"{root}/in/dragon", recursive=True)
    memory.pipe(f"{root}/out/a/mesh.obj", b"of an older result")
    memory.pipe(f"{root}/out/a/mine.txt", b"mine")
    made = make(Job(quick, "", f"memory:/{root}/out", True), Asset("a", f"memory:/{root}/in/dragon"))
    found = {path.removeprefix(f"{root}/out/a/") for path in memory.find(f"{root}/out/a")}
    assert found == {*files(expected), "mine.txt"} == {*made.files, "mine.txt"}
    assert memory.cat(f"{root}/out/a/mesh.glb") == (expected / "mesh.glb").read_bytes()
    assert b"meshopt-batch-" not in memory.cat(f"{root}/out/a/report.json")
    with pytest.raises(InputError) as error:
        make(Job(quick, "", str(tmp_path), True), Asset("a", f"memory:/{root}/in/dragon/views"))
    assert f"memory:/{root}/in/dragon/views" in str(error.value)
    with pytest.raises(InputError, match="no such file or folder"):
        make(Job(quick, "", str(tmp_path), True), Asset("a", f"memory:/{root}/nothing"))


def test_key_follows_the_input(sample: Path, quick: tuple[Override, ...], tmp_path: Path) -> None:
    from meshopt.batch.inputs import fingerprint, settings_hash

    asset = Asset("a", str(sample / "views"), str(sample / "normals"))
    key = fingerprint(asset, "x")
    assert key == fingerprint(asset, "x")
    assert key != fingerprint(asset, "y")
    assert key != fingerprint(Asset("a", str(sample / "views")), "x")
    (sample / "normals/extra.png").write_bytes(b"")
    assert key != fingerprint(asset, "x")
    (sample / "normals/extra.png").unlink()
    assert key == fingerprint(asset, "x")
    rig = tmp_path / "cameras.json"
    config = load_config(None, [*quick, Override("views.rig", str(rig), "--rig")])
    before = settings_hash(config)
    rig.write_text("{}")
    assert before != settings_hash(config)
