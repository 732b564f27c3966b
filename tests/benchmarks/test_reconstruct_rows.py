"""benchmarks/reconstruct.py over made-up reconstructions: rows, ratios, errors and the exit code."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import objects
import pytest
import reconstruct
import torch
from view_scores import creased, view_scores

import meshopt
from meshopt.mesh import Mesh, face_normals


def _octahedron(size: float) -> Mesh:
    points = size * torch.tensor([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    return Mesh(points.float(), torch.tensor(faces, dtype=torch.int32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two objects in one rig, one other system's mesh, which is 10 % too large."""
    (tmp_path / "eval" / "meshes").mkdir(parents=True)
    (tmp_path / "theirs").mkdir()
    mesh = _octahedron(0.9)
    for name in ("first", "second"):
        meshopt.save_mesh(mesh, tmp_path / "eval" / "meshes" / f"{name}.ply")
        objects.write_views(mesh, tmp_path / "eval" / "views" / name / "unique3d", "unique3d", 64)
    meshopt.save_mesh(_octahedron(0.99), tmp_path / "theirs" / "first_unique3d.obj")
    return tmp_path


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["reconstruct.py", *map(str, arguments)])
    return reconstruct.main()


def test_rows_of_both_systems_and_of_a_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def made_up(case: Any, mesh: Path, options: Any, more: tuple[str, ...] = ()) -> dict[str, Any]:
        if case.name == "second":
            return {"error": "InputError: a mask is empty"}
        meshopt.save_mesh(_octahedron(0.945), mesh)
        return {"seconds": 1.5, "cpu_seconds": 2.0, "peak_mb": 500.0}

    monkeypatch.setattr(reconstruct, "reconstruct", made_up)
    rows_file = folder / "rows.json"
    arguments = (folder / "eval", "--samples", 2000, "--against", folder / "theirs", "--json", rows_file)
    assert _run(monkeypatch, *arguments) == 1
    rows = json.loads(rows_file.read_text())
    assert [(row["object"], row["system"]) for row in rows] == [
        ("first", "meshopt"),
        ("first", "theirs"),
        ("second", "meshopt"),
    ]
    ours, theirs, failed = rows
    assert ours["true_genus"] == ours["genus"] == 0
    assert theirs["p2s_ratio"] == pytest.approx(0.5, rel=0.05)
    assert "a mask is empty" in failed["error"]
    table = capsys.readouterr().out.splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert "a mask is empty" in table[-1]
    shutil.copy(rows_file, folder / "before.json")
    arguments = (folder / "eval", "--objects", "first", "--samples", 2000, "--against", folder / "before.json")
    assert _run(monkeypatch, *arguments, "--json", rows_file) == 0
    assert json.loads(rows_file.read_text())[1]["p2s_ratio"] == pytest.approx(1)


def test_nothing_to_do_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, folder / "eval", "--rigs", "era3d") == 2


def test_truth_fits_its_own_views(folder: Path) -> None:
    case = reconstruct.Case(folder / "eval" / "views" / "first" / "unique3d")
    found = view_scores(case.truth, case.views)
    assert found["min_iou"] == 1
    sharp, normals = creased(case.truth)
    assert torch.allclose(normals, face_normals(case.truth.vertices, case.truth.faces).repeat_interleave(3, 0))
    assert len(sharp.faces) == len(case.truth.faces)
