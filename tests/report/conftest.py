"""A small made-up result, as a reconstruction gives it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from meshopt.cameras import Camera
from meshopt.config import Config
from meshopt.mesh import Mesh
from meshopt.views import Source, ViewSet

NAMES = ("front", "right", "back")


@pytest.fixture
def result() -> SimpleNamespace:
    """Three views of a disc, and renders in which it is moved by two columns and turned by 30 degrees."""
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    disc = ((rows - 15.5) ** 2 + (columns - 15.5) ** 2 < 100).float()
    masks = disc.expand(3, 32, 32).clone()
    found = masks.roll(2, 2)
    facing = torch.tensor([0.0, 0.0, 1.0])
    turned = torch.tensor([0.5, 0.0, 0.75**0.5])
    cameras = tuple(Camera.orbit(name, 90.0 * i) for i, name in enumerate(NAMES))
    views = ViewSet(
        cameras,
        facing * masks[..., None],
        masks,
        rgb=torch.full((3, 32, 32, 3), 0.5),
        scale=2.0,
        offset=(1.0, 0.0, 0.0),
        sources=tuple(Source(name, f"rgb/{name}.png", f"normals/{name}.png") for name in NAMES),
        rig="turntable:3",
        notes=("The rig is turntable:3.",),
    )
    renders = SimpleNamespace(normals=turned * found[..., None], masks=found, rgb=None)
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], dtype=torch.int32)
    report = {
        "version": "0.1.0",
        "backend": {"name": "cpu", "licence": "Apache-2.0"},
        "notes": ["The hull was taken."],
        "stages": [{"name": "initial", "seconds": 0.5, "faces": 4}],
        "views": [{"name": name, "silhouette_iou": 0.9, "normal_error_deg": 30.0} for name in NAMES],
        "topology": {"vertices": 4, "faces": 4, "closed": True},
        "topology_line": "4 vertices, 4 faces, closed",
    }
    curves = {
        "coarse": {"normal": [1 / 3, 0.2, 0.1], "silhouette": [0.5, 0.0, 1e-9]},
        "fine": {"normal": [0.05, 0.04], "silhouette": [float("nan"), 1e-4], "a new term": [0.3, 0.2]},
    }
    return SimpleNamespace(
        mesh=Mesh(vertices, faces, vertices),
        views=views,
        config=Config(),
        report=report,
        renders=renders,
        curves=curves,
        textured=None,
    )
