"""Checkpoints: a run goes on from any of them to the bytes that it would have given, and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from meshopt.cameras import Camera
from meshopt.checkpoints import Checkpoint, CheckpointFile, load_checkpoint
from meshopt.config import Config, load_config
from meshopt.consistency.corrections import Turned
from meshopt.errors import InputError
from meshopt.mesh import Mesh
from meshopt.pipeline import Reconstruction, reconstruct, run_fingerprint
from meshopt.remesh import remesh
from meshopt.remesh.state import links_of
from meshopt.views import ViewSet

SETTINGS = (
    "check.rotation=40",
    "initial.grid=32",
    "initial.depth=32",
    "optimize.coarse_steps=4",
    "optimize.fine_steps=3",
    "optimize.refine_steps=12",
    "optimize.tolerance=0",
    "output.faces=600",
    "output.checkpoint_steps=2",
    "texture.kind=vertex",
)


@dataclass
class Kept:
    """A run, and the files of all of its checkpoints."""

    views: ViewSet
    config: Config
    result: Reconstruction
    files: list[Path]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, seen: Callable[..., ViewSet]) -> Kept:
    """Of an ellipsoid whose normals are turned a little in one view, so that stages have something to turn back."""
    folder, files = tmp_path_factory.mktemp("checkpoints"), []
    views = _turned(_views(seen))
    config = load_config(None, SETTINGS)

    def keep(checkpoint: Checkpoint) -> None:
        files.append(folder / f"{len(files)}.safetensors")
        checkpoint.save(files[-1])

    return Kept(views, config, reconstruct(views, config, keep=keep), files)


def _views(seen: Callable[..., ViewSet]) -> ViewSet:
    shape = trimesh.creation.icosphere(subdivisions=3)
    vertices = torch.tensor(np.array(shape.vertices) * (0.8, 0.5, 0.6), dtype=torch.float32)
    mesh = Mesh(vertices, torch.tensor(np.array(shape.faces), dtype=torch.int32), 0.5 + 0.4 * vertices)
    cameras = tuple(Camera.orbit(f"view{azimuth}", azimuth) for azimuth in (0, 45, 90, 180, 270, 315))
    return seen(mesh, cameras, 48)


def _turned(views: ViewSet) -> ViewSet:
    angle = np.radians(4.5)
    matrix = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return Turned(2, matrix).apply(views)


def _outcome(result: Reconstruction) -> dict[str, Any]:
    """All of a result but how long it took."""
    report = {key: value for key, value in result.report.items() if key != "stages"}
    stages = [{key: value for key, value in row.items() if key != "seconds"} for row in result.report["stages"]]
    assert result.mesh.colors is not None
    arrays = result.mesh.vertices, result.mesh.faces, result.mesh.colors
    found = [array.numpy().tobytes() for array in arrays]
    return {"arrays": found, "report": json.dumps(report), "stages": json.dumps(stages), "curves": result.curves}


def test_a_run_goes_on_from_any_checkpoint_to_the_same_result(kept: Kept) -> None:
    lines = [load_checkpoint(file).line for file in kept.files]
    assert lines[0] == "after initial"
    assert {"coarse, step 2", "after coarse", "refine, step 12", "after faces", "after color"} <= set(lines)
    assert any(load_checkpoint(file).record.turned for file in kept.files)
    wanted = _outcome(kept.result)
    for line in ("coarse, step 2", "refine, step 10", "after faces"):
        again = reconstruct(
            kept.views,
            kept.config,
            start=load_checkpoint(kept.files[lines.index(line)]),
            keep=lambda checkpoint: None,
        )
        assert _outcome(again) == wanted, line


def test_what_was_done_is_not_done_again_but_counted(kept: Kept) -> None:
    seen: list[str] = []
    lines = [load_checkpoint(file).line for file in kept.files]
    start = load_checkpoint(kept.files[lines.index("refine, step 10")])
    assert start.record.under_way is not None
    long = start.record.model_copy(update={"under_way": start.record.under_way.model_copy(update={"seconds": 1e3})})
    start = replace(start, record=long)
    again = reconstruct(kept.views, kept.config, lambda progress: seen.append(progress.stage), start=start)
    assert list(dict.fromkeys(seen)) == ["check", "refine", "faces", "untangle", "color"]
    seconds = {row["name"]: row["seconds"] for row in again.report["stages"]}
    assert seconds["refine"] > 1e3
    assert seconds["untangle"] < 1e3


@pytest.mark.parametrize("change", ["seed=1", "optimize.smoothness=0.2", "output.formats=[ply]"])
def test_other_settings_are_refused(kept: Kept, change: str) -> None:
    with pytest.raises(InputError, match=r"^the checkpoint is that of other views, settings or versions"):
        reconstruct(kept.views, load_config(None, [*SETTINGS, change]), start=load_checkpoint(kept.files[0]))


def test_other_views_are_refused(kept: Kept) -> None:
    masks = kept.views.masks.clone()
    masks[0, 0, 0] = 0.5
    with pytest.raises(InputError, match=r"^the checkpoint is that of other views"):
        reconstruct(replace(kept.views, masks=masks), kept.config, start=load_checkpoint(kept.files[0]))


def test_what_views_say_of_their_files_is_of_no_account(kept: Kept) -> None:
    """They may have been moved, or are named by another path; the result's notes say where they are now."""
    moved = replace(kept.views, notes=("cameras from elsewhere/cameras.json",))
    last = load_checkpoint(kept.files[-1])
    again = reconstruct(moved, kept.config, start=last)
    assert again.report["notes"] == [*moved.notes, *last.record.notes]
    assert kept.result.report["notes"] == last.record.notes


def test_how_often_checkpoints_are_kept_is_of_no_account(kept: Kept) -> None:
    seldom = load_config(None, [*SETTINGS, "output.checkpoint_steps=0"])
    assert run_fingerprint(kept.views, seldom) == load_checkpoint(kept.files[0]).fingerprint


@pytest.mark.parametrize("what", ["flipped", "cut", "empty", "text", "other", "folder"])
def test_damaged_files_are_refused_in_a_sentence(kept: Kept, tmp_path: Path, what: str) -> None:
    from safetensors.numpy import save

    data, file = kept.files[3].read_bytes(), tmp_path / "checkpoint.safetensors"
    if what == "folder":
        file.mkdir()
    else:
        broken = bytearray(data)
        broken[-5] ^= 4
        contents = {"flipped": bytes(broken), "cut": data[:-7], "empty": b"", "text": b"{}\n" * 9, "other": save({})}
        file.write_bytes(contents[what])
    with pytest.raises(InputError, match=r"^[^\n]*checkpoint\.safetensors: (is no checkpoint|cannot be read)[^\n]*$"):
        load_checkpoint(file)


def test_connectivity_must_be_that_of_the_faces() -> None:
    shape = trimesh.creation.icosphere(subdivisions=2)
    vertices = torch.tensor(np.array(shape.vertices), dtype=torch.float32)
    faces = torch.tensor(np.array(shape.faces), dtype=torch.int32)
    result = remesh(vertices, faces, torch.full((len(vertices),), 0.3))
    links = result.links
    assert links is not None
    found = links_of(result.faces, links.twin, links.out, links.valence)
    assert np.array_equal(found.twin, links.twin)
    for name in ("twin", "out", "valence"):
        for value in (-1, 10**6, int(getattr(links, name)[5]) + 1):
            arrays = {key: getattr(links, key).copy() for key in ("twin", "out", "valence")}
            arrays[name][5] = value
            with pytest.raises(ValueError, match="connectivity"):
                links_of(result.faces, **arrays)


def test_the_file_comes_and_goes_with_its_folder(kept: Kept, tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "deep" / "out")
    assert file.load() is None
    file.remove()
    file.save(load_checkpoint(kept.files[1]))
    loaded = file.load()
    assert loaded is not None
    assert loaded.record == load_checkpoint(kept.files[1]).record
    assert [entry.name for entry in file.path.parent.iterdir()] == ["checkpoint.safetensors"]
    file.remove()
    assert not (tmp_path / "deep" / "out").exists()
