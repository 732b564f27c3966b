"""evaluation.json and evaluation.png are written whole or not at all, and say what was measured."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch

from meshopt.cameras import Camera
from meshopt.config import EvaluateConfig
from meshopt.errors import InputError
from meshopt.evaluate import evaluate
from meshopt.mesh import Mesh
from meshopt.report import evaluations
from meshopt.report.evaluations import Measured, encode_evaluation, write_evaluation, write_evaluation_file
from meshopt.views import ViewSet


@pytest.fixture(scope="module")
def measured() -> Measured:
    """A square against two views."""
    points = torch.tensor([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    square = Mesh(points, torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32))
    masks = torch.zeros(2, 32, 32)
    masks[:, 8:24, 8:24] = 1
    normals = torch.tensor([0.0, 0, 1]) * masks[..., None]
    views = ViewSet((Camera.orbit("front", 0), Camera.orbit("back", 180)), normals, masks, rig="turntable:2")
    settings = EvaluateConfig(samples=500)
    return Measured("square.ply", "square.ply", views, settings, evaluate(square, square, views, settings))


def test_record_says_what_was_measured(measured: Measured) -> None:
    data = json.loads(encode_evaluation(measured))
    assert list(data)[:5] == ["schema", "version", "mesh", "truth", "rig"]
    assert data["geometry"]["all"]["point_to_surface"]["world"]["mean"] < 1e-12
    front, back = data["images"]["views"]
    assert (front["name"], front["silhouette_iou"], front["normal_mean_deg"]) == ("front", 1, pytest.approx(0, abs=0.1))
    assert back["normal_mean_deg"] == pytest.approx(180, abs=0.1)
    assert "color_psnr_db" not in front
    assert data["topology"]["boundary_edges"] == 4
    assert encode_evaluation(measured) == encode_evaluation(measured)


def test_files_are_written_once(measured: Measured, tmp_path: Path) -> None:
    files = write_evaluation(measured, tmp_path / "out")
    assert [file.name for file in files] == ["evaluation.json", "evaluation.png"]
    with pytest.raises(InputError, match="--overwrite"):
        write_evaluation(measured, tmp_path / "out")
    write_evaluation(measured, tmp_path / "out", overwrite=True)
    alone = write_evaluation_file(measured, tmp_path / "made" / "found.json")
    assert alone.read_bytes() == files[0].read_bytes()
    with pytest.raises(InputError, match=r"found\.json: is already there; .* --overwrite"):
        write_evaluation_file(measured, alone)


def test_full_disk_keeps_the_old_files(measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_evaluation(measured, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(evaluations, "encode_sheet", fail)
    with pytest.raises(OSError, match="No space left"):
        write_evaluation(measured, tmp_path, overwrite=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_without_views_there_is_no_sheet(measured: Measured, tmp_path: Path) -> None:
    alone = Measured("m", "t", None, measured.settings, measured.evaluation)
    assert [file.name for file in write_evaluation(alone, tmp_path)] == ["evaluation.json"]
