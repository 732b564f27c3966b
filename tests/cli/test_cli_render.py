"""`meshopt render`: what it says, and one sentence for what cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from meshopt.cli import run
from meshopt.views import load_views

DRAGON = Path(__file__).parents[2] / "data" / "dragon"
MESH = str(DRAGON / "mesh.ply")


def command(out: Path, *more: str) -> list[str]:
    return ["render", MESH, "--rig", "wonder3d", "-o", str(out), "--resolution", "64", *more]


def test_a_folder_that_other_commands_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(tmp_path / "out")) == 0
    said = capsys.readouterr().out
    assert "6 views of 64 x 64 pixels, wonder3d, normals in the front frame." in said
    flags = re.search(r"read with --views (\S+) --normals (\S+)", said)
    assert flags is not None
    found = load_views(flags[1], flags[2])
    assert [camera.name for camera in found.cameras][:2] == ["front", "front_right"]


def test_the_pictures_are_those_of_the_sample(tmp_path: Path) -> None:
    """The sample set was drawn straight from the shape that the mesh was made from."""
    assert run(command(tmp_path, "-q", "--resolution", "256", "--normals", "smooth")) == 0
    name = "normals/normals_000_front.png"
    given, found = (np.asarray(Image.open(place / name)).astype(float) for place in (DRAGON / "wonder3d", tmp_path))
    solid = (given[..., 3] > 127) & (found[..., 3] > 127)
    assert solid.sum() > 0.99 * ((given[..., 3] > 127) | (found[..., 3] > 127)).sum()
    whole = (given[..., 3] == 255) & (found[..., 3] == 255)
    a, b = (2 * image[whole][:, :3] / 255 - 1 for image in (given, found))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 5  # the mesh has not all of its wrinkles


def test_flags_are_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--layers", "normals,masks,depth", "--names", "plain", "--normal-frame", "camera", "--supersampling", "1"]
    assert run(command(tmp_path / "out", *flags, "--fit", "sphere", "--sides", "front", "--background", "grey")) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["cameras.json", "depth", "masks", "normals"]
    assert (tmp_path / "out" / "normals" / "front_left.png").exists()
    record = json.loads((tmp_path / "out" / "cameras.json").read_text())
    assert record["normal_frame"] == "camera"
    assert record["supersampling"] == 1
    assert record["mesh"]["scale"] != 1
    capsys.readouterr()
    assert run(command(tmp_path / "out", "-q")) == 2
    assert "already holds a result" in capsys.readouterr().err
    assert run(command(tmp_path / "out", "-q", "--overwrite")) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["cameras.json", "normals", "rgb"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--rig", "wonder3"], r"--rig 'wonder3' is neither a preset nor a cameras file \(did you mean wonder3d\?\)"),
        (["--rig", "gone.json"], r"cameras file gone\.json cannot be read"),
        (["--layers", "rgb,uv"], "--layers 'uv' is unknown, expected rgb, normals, masks or depth"),
        (["--fit", "cube"], "--fit 'cube' is unknown, expected none, box or sphere"),
        (["--supersampling", "99"], "--supersampling 99 is out of range, expected 1 to 16"),
        (["--normals", "round"], "--normals 'round' is unknown"),
        (["--resolution", "9999"], "--resolution 9999 is out of range, expected 16 to 4096"),
    ],
)
def test_one_sentence_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert run(command(tmp_path / "out", "-q", *more)) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"Error: .*{words}.*\n", said), said
    assert not (tmp_path / "out").exists()


def test_meshes_that_cannot_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "far.obj").write_text("v 9 9 9\nv 10 9 9\nv 9 10 9\nf 1 2 3\n")
    (tmp_path / "bare.obj").write_text("mtllib gone.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    unseen = "no view of unique3d sees the mesh"
    flags = ["--rig", "unique3d", "-o", str(tmp_path / "out")]
    for name, words in (("far", unseen), ("bare", "refers to 'gone.mtl'"), ("no", "no such file")):
        assert run(["render", str(tmp_path / f"{name}.obj"), *flags]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(["render", str(tmp_path / "bare.obj"), *flags, "--layers", "normals"]) == 0  # needs no colours
    assert run(["render", MESH, "-o", str(tmp_path / "x")]) == 2
    assert "Missing option '--rig'" in capsys.readouterr().err
