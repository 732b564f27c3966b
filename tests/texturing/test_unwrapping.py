"""Atlases of many kinds of meshes: whole, without overlap, padded, the same every time, and in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt.errors import InputError
from meshopt.io.meshes import load_mesh
from meshopt.remesh import to_faces
from meshopt.texturing import unwrapping
from meshopt.texturing.atlas import Atlas, figures
from meshopt.texturing.unwrapping import unwrap

ROOT = Path(__file__).parents[2]
Arrays = tuple[np.ndarray, np.ndarray]


def ball(noise: float = 0.0) -> Arrays:
    mesh = trimesh.creation.icosphere(subdivisions=3)
    points = np.asarray(mesh.vertices)
    return points + noise * np.random.default_rng(0).normal(size=points.shape), np.asarray(mesh.faces)


def box() -> Arrays:
    mesh = trimesh.creation.box()
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def soup(count: int = 300) -> Arrays:
    generator = np.random.default_rng(0)
    corners = generator.uniform(-1, 1, (count, 1, 3)) + 0.1 * generator.normal(size=(count, 3, 3))
    return corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


def tangle() -> Arrays:
    """Non-manifold everywhere, some faces without area, some twice and some turned over."""
    generator = np.random.default_rng(0)
    faces = generator.integers(0, 25, (150, 3))
    return generator.uniform(-1, 1, (25, 3)), np.concatenate([faces, faces[:20], faces[20:40, ::-1]])


def ramp() -> Arrays:
    """Four turns of a spiral: seen from above, each lies over the others."""
    angle = np.linspace(0, 8 * np.pi, 300)
    inner = np.stack([np.cos(angle), 0.05 * angle, np.sin(angle)], axis=1)
    i = np.arange(299)
    faces = np.concatenate([np.stack([i, i + 1, i + 300], axis=1), np.stack([i + 1, i + 301, i + 300], axis=1)])
    return np.concatenate([inner, inner * [0.5, 1, 0.5]]), faces


def needle() -> Arrays:
    points = np.array([[0, 0, 0], [1000, 0, 0], [0, 0.001, 0], [1000, 0.001, 0]], float)
    return points, np.array([[0, 1, 2], [1, 3, 2]])


def flat_faces() -> Arrays:
    """A square, a face on its edge, and faces that are a line and a point elsewhere."""
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0, 0], [5, 5, 5], [6, 6, 6], [7, 7, 7]], float)
    return points, np.array([[0, 1, 2], [0, 2, 3], [0, 4, 1], [5, 6, 7], [3, 3, 3]])


KINDS = {
    "ball": ball(),
    "rough ball": ball(0.05),
    "box": box(),
    "soup": soup(),
    "tangle": tangle(),
    "ramp": ramp(),
    "needle": needle(),
    "flat faces": flat_faces(),
    "single": (np.eye(3), np.array([[0, 1, 2]])),
    "point": (np.zeros((3, 3)), np.array([[0, 1, 2]])),
    "tiny": (1e-8 * ball()[0], ball()[1]),
    "far": (ball()[0] + 1e4, ball()[1]),
}


def unwrapped(arrays: Arrays, size: int = 512, padding: int = 4, seconds: float = 20.0) -> Atlas:
    points, faces = arrays
    return unwrap(torch.tensor(points, dtype=torch.float32), torch.tensor(faces), size, padding, seconds=seconds)


def nearest_charts(atlas: Atlas, size: int) -> float:
    """Texels from any chart to the next, of points on their faces' edges; infinite for one chart."""
    from scipy.spatial import cKDTree

    corners = atlas.uv.double().numpy()[atlas.faces.numpy()] * size
    share = np.linspace(0, 1, 33)[:, None, None, None]
    dots = (corners + share * (np.roll(corners, 1, axis=1) - corners)).reshape(-1, 2)
    owner = np.tile(np.repeat(atlas.chart.numpy(), 3), 33)
    nearest = np.inf
    for chart in range(int(owner.max()) + 1):
        others = dots[owner != chart]
        if len(others):
            nearest = min(nearest, float(cKDTree(others).query(dots[owner == chart])[0].min()))
    return nearest


def check(atlas: Atlas, arrays: Arrays) -> None:
    """What holds for every atlas."""
    points, faces = arrays
    assert atlas.faces.shape == faces.shape
    assert (atlas.vertices[atlas.faces.long()].numpy() == faces).all()
    assert torch.isfinite(atlas.uv).all()
    assert atlas.uv.min() >= 0
    assert atlas.uv.max() <= 1
    used = atlas.faces.long()
    assert sorted(set(used.ravel().tolist())) == list(range(len(atlas.uv)))  # no row is idle
    assert sorted(set(atlas.chart.tolist())) == list(range(int(atlas.chart.max()) + 1))
    owner = torch.full((len(atlas.uv),), -1, dtype=atlas.chart.dtype)
    owner[used] = atlas.chart[:, None].expand(-1, 3)
    assert (owner[used] == atlas.chart[:, None]).all()  # charts share no row
    found = figures(atlas, torch.tensor(points))
    assert (found.overlaps, found.mirrored, found.flipped) == (0, 0, 0)


@pytest.mark.parametrize("seconds", [20.0, 0.0], ids=["xatlas", "box"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_mesh_has_an_atlas(kind: str, seconds: float) -> None:
    atlas = unwrapped(KINDS[kind], seconds=seconds)
    assert atlas.method == ("xatlas" if seconds else "box")
    check(atlas, KINDS[kind])


@pytest.mark.parametrize("seconds", [20.0, 0.0], ids=["xatlas", "box"])
@pytest.mark.parametrize("name", ["amphora", "dragon", "robot"])
def test_samples(name: str, seconds: float) -> None:
    mesh = load_mesh(ROOT / "data" / name / "mesh.ply")
    vertices, faces, _ = to_faces(mesh.vertices, mesh.faces, 2000)
    atlas = unwrap(vertices, faces, 1024, 4, seconds=seconds)
    check(atlas, (vertices.numpy(), faces.numpy()))
    found = figures(atlas, vertices)
    assert found.collapsed == 0
    assert found.coverage > 0.4
    assert found.stretch < 1.2


@pytest.mark.parametrize("seconds", [20.0, 0.0], ids=["xatlas", "box"])
@pytest.mark.parametrize(("kind", "size", "padding"), [("box", 256, 1), ("ball", 512, 4), ("box", 2048, 5)])
def test_charts_are_apart(kind: str, size: int, padding: int, seconds: float) -> None:
    atlas = unwrapped(KINDS[kind], size, padding, seconds)
    assert int(atlas.chart.max()) >= 5
    assert nearest_charts(atlas, size) >= padding - 1e-3
    assert min(atlas.uv.min(), 1 - atlas.uv.max()) * size >= padding / 2 - 1e-3


def test_texels_are_alike_on_a_box() -> None:
    points, faces = box()
    found = figures(unwrapped((points * [1, 2, 3], faces)), torch.tensor(points * [1, 2, 3]))
    assert found.stretch == pytest.approx(1, abs=0.01)
    assert found.anisotropy == pytest.approx((1, 1), abs=0.01)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(3, 30))
@settings(max_examples=25, deadline=None)
def test_any_faces_have_box_charts(seed: int, n_faces: int, n_vertices: int) -> None:
    generator = np.random.default_rng(seed)
    arrays = generator.normal(size=(n_vertices, 3)), generator.integers(0, n_vertices, (n_faces, 3))
    check(unwrapped(arrays, 256, 2, 0.0), arrays)


@pytest.mark.parametrize("seconds", [20.0, 0.0], ids=["xatlas", "box"])
def test_same_bytes(seconds: float) -> None:
    one, two = (unwrapped(ball(0.05), seconds=seconds) for _ in range(2))
    assert one.uv.numpy().tobytes() == two.uv.numpy().tobytes()
    assert one.faces.numpy().tobytes() == two.faces.numpy().tobytes()


def test_time_limit_strikes() -> None:
    atlas = unwrapped(ball(), seconds=0.01)
    assert atlas.method == "box"
    assert "0.01 s" in atlas.notes[0]


CHILDREN = {
    "crash": "import os; os.abort()",
    "error": "raise OSError('no memory')",
    "silence": "",
    "nonsense": "print('hello')",
    "other mesh": (
        "import io, sys, numpy as np\n"
        "for a in np.zeros((3, 2), 'f4'), np.arange(3), np.array([[0, 1, 2]]):\n"
        "    f = io.BytesIO(); np.save(f, a); sys.stdout.buffer.write(f.getvalue())\n"
    ),
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_failed_process_means_box_charts(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = tmp_path / "child.py"
    child.write_text(CHILDREN[kind])
    monkeypatch.setattr(unwrapping, "CHILD", child)
    atlas = unwrapped(ball())
    assert atlas.method == "box"
    assert "xatlas" in atlas.notes[0]
    check(atlas, ball())


@pytest.mark.parametrize("executable", ["", None, "/nonexistent/python"])
def test_no_process_means_box_charts(executable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    assert unwrapped(box()).method == "box"


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interruption_ends_the_process(tmp_path: Path) -> None:
    """Ctrl-C comes through while xatlas works, and leaves nothing behind."""
    child, pid = tmp_path / "child.py", tmp_path / "pid"
    child.write_text(f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    code = (
        "import torch, pathlib; from meshopt.texturing import unwrapping as u;"
        f"u.CHILD = pathlib.Path({str(child)!r});"
        "u.unwrap(torch.eye(3), torch.tensor([[0, 1, 2]]), 64, 1)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE)
    until = time.monotonic() + 30
    while not (pid.exists() and pid.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    parent.send_signal(signal.SIGINT)
    _, said = parent.communicate(timeout=20)
    assert b"KeyboardInterrupt" in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_crowded_texture_gives_up_padding_then_refuses() -> None:
    atlas = unwrapped(soup(2000), 256, 4, 0.0)
    assert any("instead of 4" in note for note in atlas.notes)
    check(atlas, soup(2000))
    with pytest.raises(InputError, match=r"2000 charts do not fit a texture of 16 x 16.*--texture-size"):
        unwrapped(soup(2000), 16, 4, 0.0)


def test_unusable_meshes() -> None:
    with pytest.raises(InputError, match="no faces"):
        unwrap(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int32), 64, 1)
    points = torch.eye(3)
    points[1, 1] = torch.nan
    with pytest.raises(InputError, match="1 of the mesh's 1 faces"):
        unwrap(points, torch.tensor([[0, 1, 2]]), 64, 1)
    idle = torch.cat([torch.eye(3), torch.full((1, 3), torch.nan)])  # a vertex of no face
    assert len(unwrap(idle, torch.tensor([[0, 1, 2]]), 64, 1).uv) == 3
