"""Textured OBJ: v up, names that readers find, and a material of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from meshopt.io.meshes import encode_files
from meshopt.mesh import Mesh


def _rows(text: str, word: str) -> np.ndarray:
    return np.array([line.split()[1:] for line in text.splitlines() if line.startswith(f"{word} ")])


def test_corners_have_vertex_place_and_normal(box: Mesh) -> None:
    colored = replace(box, colors=torch.ones_like(box.vertices))
    text = encode_files(colored, "obj", "box")["box.obj"].decode()
    points, places = _rows(text, "v").astype("f4"), _rows(text, "vt").astype(float)
    corners = np.array([[corner.split("/") for corner in face] for face in _rows(text, "f")]).astype(int) - 1
    assert points.shape == (len(box.vertices), 3)  # no vertex is split, and none has a colour
    assert (points == box.vertices.numpy()).all()
    assert box.texture is not None
    assert np.allclose(places, box.texture.uv.double().numpy() * [1, -1] + [0, 1], atol=1e-8)
    assert (corners[..., 0] == box.faces.numpy()).all()
    assert (corners[..., 1] == box.texture.faces.numpy()).all()
    assert (corners[..., 2] == box.faces.numpy()).all()


def test_material(bumpy_box: Mesh) -> None:
    files = encode_files(bumpy_box, "obj", "my box")
    beside = "my_box_a6b0018f"
    assert list(files) == ["my box.obj", *(f"{beside}{end}" for end in (".mtl", "_color.png", "_normal.png"))]
    assert _rows(files["my box.obj"].decode(), "mtllib").tolist() == [[f"{beside}.mtl"]]
    assert _rows(files["my box.obj"].decode(), "usemtl").tolist() == [["surface"]]
    lines = dict(line.split(" ", 1) for line in files[f"{beside}.mtl"].decode().splitlines())
    assert lines["newmtl"] == "surface"
    assert lines["map_Kd"] == f"{beside}_color.png"
    assert lines["norm"] == f"{beside}_normal.png"
    assert (float(lines["Pr"]), float(lines["Pm"])) == (0.8, 0.0)
    assert lines["Kd"] == "1 1 1"  # it multiplies the image
