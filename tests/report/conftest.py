"""A small made-up result, as a reconstruction gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from meshopt.cameras import Camera
from meshopt.config import Config
from meshopt.consistency import Checked, ConsistencyReport, Finding, ViewVerdict
from meshopt.consistency.corrections import Discounted, Mirrored, Placed, Rearranged, Tilted, Turned, Unbent
from meshopt.mesh import Mesh, Texture
from meshopt.texturing import Textured
from meshopt.views import Source, ViewSet

NAMES = ("front", "right", "back")
VERDICTS = ("ok", "inconsistent", "suspect")
FINDINGS = (
    Finding("remark", "note", (), "all is a little blurred.", "none is needed."),
    Finding("zoomed", "suspect", ("back",), "it is too large.", "scale it.", 1.5, "%", None, 1.0, "check.zoom"),
    Finding("rotated", "inconsistent", ("right",), "right is turned.", "turn it.", 10.0, "degrees", 0.5, 2.5),
)
CORRECTIONS = (
    Turned(1, np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])),
    Placed(2, 1.015, 0.02, 0.0),
    Mirrored(0),
    Rearranged((0, 2, 1), True),
    Tilted(5.0, True),
    Unbent(0, np.zeros((4, 4, 3))),
    Discounted(1, np.eye(8, dtype=bool)),
)
FIGURES = {
    "size": 64, "method": "box", "charts": 6, "overlaps": 0, "coverage": 0.5, "stretch": 1.1, "seen": 0.9,
}  # fmt: skip


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
        checked=None,
    )


@pytest.fixture
def rich(result: SimpleNamespace) -> SimpleNamespace:
    """The same with a textured ball, colours, findings of every severity, a correction of each kind, flagged pixels."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.6)
    vertices = torch.from_numpy(np.asarray(ball.vertices)).float()
    faces = torch.from_numpy(np.asarray(ball.faces)).int()
    shade = torch.arange(64, dtype=torch.uint8)[:, None].expand(64, 64) * 4
    texture = Texture(vertices[:, [0, 1]] / 2 + 0.5, faces, torch.stack([shade, shade.T, 255 - shade], -1))
    result.mesh = Mesh(vertices, faces, vertices / 2 + 0.5, texture)
    result.renders.rgb = 0.5 - result.renders.normals / 2
    numbers = torch.arange(64 * 64).reshape(64, 64)
    result.textured = Textured(result.mesh, (numbers % 5).byte(), (numbers % 256).byte(), FIGURES)
    flagged = np.zeros((3, 32, 32), bool)
    flagged[1, 8:20, 10:22] = True
    verdicts = tuple(ViewVerdict(name, verdict, 0.1) for name, verdict in zip(NAMES, VERDICTS, strict=True))
    report = ConsistencyReport("inconsistent", 0.3, verdicts, FINDINGS)
    result.checked = Checked(report, result.views, CORRECTIONS, np.full((3, 32, 32), 20.0), flagged, None)
    named = zip(result.report["views"], verdicts, strict=True)
    result.report |= {
        **report.as_plain(),
        "corrections": [correction.as_plain(NAMES) for correction in CORRECTIONS],
        "views": [row | {"verdict": v.verdict, "score": v.score, "colour_psnr_db": 30.0} for row, v in named],
        "texture": FIGURES,
        "sources": [vars(source) for source in result.views.sources],
        "rig": result.views.rig,
        "device": "cpu",
    }
    return result


@pytest.fixture(scope="session")
def browser_module(module_at: Callable[[Path, str], ModuleType]) -> ModuleType:
    """browser.py beside this file."""
    return module_at(Path(__file__).with_name("browser.py"), "meshopt_report_browser")


@pytest.fixture(scope="module")
def browser(browser_module: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One tab for all tests of a file."""
    if browser_module.CHROMIUM is None:
        pytest.skip("needs Chromium")
    with browser_module.started(tmp_path_factory.mktemp("profile")) as found:
        yield found
