"""The command line over a pipeline that is made up: no computation, the real files."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from meshopt import views as views_module
from meshopt.cameras import Camera
from meshopt.errors import MeshoptWarning
from meshopt.mesh import Mesh
from meshopt.views import Source, ViewSet


@dataclass
class Pipeline:
    """What the commands called, and what goes wrong when they do."""

    loaded: list[tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    configs: list[Any] = field(default_factory=list)
    fail: Callable[[], None] = lambda: None
    report: dict[str, Any] = field(default_factory=dict)  # what it has besides

    def load_views(self, *arguments: Any, **options: Any) -> ViewSet:
        self.loaded.append((arguments, options))
        masks = torch.ones(2, 16, 16)
        normals = torch.tensor([0.0, 0.0, 1.0]).expand(2, 16, 16, 3)
        cameras = (Camera.orbit("front", 0), Camera.orbit("back", 180))
        sources = (
            Source("front", "rgb_front.png", "n_front.png"),
            Source("back", "rgb_back.png", "n_back.png"),
        )
        notes = ("The rig is turntable:2: two views are there.",)
        return ViewSet(cameras, normals, masks, sources=sources, rig="turntable:2", notes=notes)

    def reconstruct(
        self, views: ViewSet, config: Any, on_progress: Callable[[Any], None], **more: Any
    ) -> SimpleNamespace:
        self.configs.append(config)
        for step in range(1, 5):
            on_progress(SimpleNamespace(stage="optimize", step=step, total=4, info={"loss": 0.5}))
        warnings.warn("one view was mended", MeshoptWarning, stacklevel=1)
        self.fail()
        vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        faces = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], dtype=torch.int32)
        report = {
            "version": "0.1.0",
            "backend": {"name": "cpu", "licence": "Apache-2.0"},
            "notes": [*views.notes, "The initial mesh is the hull."],
            "views": [
                {"name": "front", "silhouette_iou": 0.9912, "normal_error_deg": 3.25},
                {"name": "back", "silhouette_iou": 0.9876, "normal_error_deg": None},
            ],
            "topology_line": "V 4, F 4, closed, 2-manifold",
            **self.report,
        }
        renders = SimpleNamespace(normals=views.normals, masks=views.masks, rgb=None)
        curves = {"optimize": {"normal": [0.5, 0.25, 0.125, 0.1], "faces": [4.0] * 4}}
        return SimpleNamespace(
            mesh=Mesh(vertices, faces),
            views=views,
            config=config,
            report=report,
            renders=renders,
            curves=curves,
            textured=None,
            checked=None,
        )


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """In place of meshopt.pipeline and load_views."""
    fake = Pipeline()
    module = ModuleType("meshopt.pipeline")
    module.reconstruct = fake.reconstruct  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "meshopt.pipeline", module)
    monkeypatch.setattr("meshopt.pipeline", module, raising=False)
    monkeypatch.setattr(views_module, "load_views", fake.load_views, raising=False)
    return fake
