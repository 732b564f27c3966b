"""A model that is made up: it returns rendered views of one object. And pictures to give to models."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from meshopt.cameras import Camera
from meshopt.frames.encoding import frame_to_world
from meshopt.generate.adapters import Card, GeneratedViews, Request
from meshopt.generate.preparation import Framed, Framing
from meshopt.generate.runtime import Runtime
from meshopt.generate.weights import Weights
from meshopt.rigs import load_rig

RADII, MIDDLE = np.array([0.5, 0.75, 0.4]), np.array([0.08, -0.05, 0.1])  # an ellipsoid, unlike from any two sides
SAMPLES = 4
FRAMING = Framing(64, 0.75, 1.0)
CARD = Card("rendered", "Rendered views", (), ("Rendered",), 3, 1.5, "this test")


def drawn(camera: Camera, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ellipsoid's colours, world normals and coverage."""
    origins, directions = camera.rays(SAMPLES * size, SAMPLES * size)
    o, d = (origins - MIDDLE) / RADII, directions / RADII
    a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
    square = b * b - a * c
    depth = (-b - np.sqrt(np.maximum(square, 0))) / a
    normals = (o + depth[..., None] * d) / RADII
    normals *= (square > 0)[..., None] / np.linalg.norm(normals, axis=-1, keepdims=True)
    blocks = [x.reshape(size, SAMPLES, size, SAMPLES, -1).mean((1, 3)) for x in (normals, (square > 0) * 1.0)]
    alpha = blocks[1][..., 0]
    unit = blocks[0] / np.maximum(np.linalg.norm(blocks[0], axis=-1, keepdims=True), 1e-9)
    return 0.5 + 0.35 * unit, unit, alpha


@dataclass
class Rendered:
    """An adapter without weights. It records what it was given; its views carry no alpha, as generators' do."""

    rig: str = "wonder3d"
    size: int = 128
    with_normals: bool = True
    around: float = -1.0  # the stored vectors' components where nothing is, if that is not grey
    framing: Framing = FRAMING
    card: Card = CARD
    given: list[tuple[Framed, Request]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.card = replace(self.card, normals=self.with_normals)

    def load(self, weights: Weights, runtime: Runtime) -> str:
        return f"pipeline on {runtime.device}"

    def run(self, pipeline: str, picture: Framed, request: Request, runtime: Runtime) -> float:
        assert pipeline == "pipeline on cpu"
        self.given.append((picture, request))
        for step in range(request.steps):
            runtime.on_step("views", step + 1, request.steps)
        return float(torch.rand(())) * 0.012  # of torch's global numbers: the seed has to rule them

    def decode(self, output: float) -> GeneratedViews:
        rig = load_rig(self.rig)
        cameras = rig.cameras()
        rgb, normals, alpha = (np.stack(x) for x in zip(*(drawn(c, self.size) for c in cameras), strict=True))
        turn = frame_to_world(cameras, rig.normal_frame)
        stored = np.einsum("vij,vhwi->vhwj", turn, normals)  # the inverse of a rotation is its transpose
        background = 0.0 if rig.written.nothing == "grey" else self.around
        cover = alpha[..., None]
        stored = stored * cover + background * (1 - cover)
        colours = (rgb - output) * cover + (1 - cover)
        kept = stored.astype(np.float32) if self.with_normals else None
        return GeneratedViews(rig, colours.astype(np.float32), kept, rig.normal_frame)


@pytest.fixture
def rendered() -> type[Rendered]:
    """The made-up model."""
    return Rendered


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """The ellipsoid from the front, off the middle of a larger picture, with alpha."""
    rgb, _, alpha = drawn(load_rig("wonder3d").cameras()[0], 100)
    image = np.zeros((160, 200, 4))
    image[30:130, 60:160] = np.dstack([rgb, alpha])
    path = tmp_path / "picture.png"
    Image.fromarray(np.round(image * 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def attention() -> Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]:
    """A slow twin of a layer's attention: one head at a time, softmax(q . k / sqrt(d)) v."""

    def attend(layer: Any, queries: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        q, k, v = layer.to_q(queries), layer.to_k(others), layer.to_v(others)
        size = q.shape[-1] // layer.heads
        heads = []
        for h in range(layer.heads):
            part = slice(h * size, (h + 1) * size)
            weight = torch.softmax(q[:, part] @ k[:, part].T / math.sqrt(size), dim=-1)
            heads.append(weight @ v[:, part])
        return layer.to_out[0](torch.cat(heads, dim=-1))

    return attend


@pytest.fixture(scope="session")
def tiny(module_at: Callable[[Path, str], ModuleType]) -> Any:
    """tiny.py beside this file: pipelines of few random weights, of the real classes. Needs diffusers."""
    pytest.importorskip("diffusers")
    return module_at(Path(__file__).with_name("tiny.py"), "meshopt_generate_tiny")


@pytest.fixture(scope="session")
def onnx(module_at: Callable[[Path, str], ModuleType]) -> ModuleType:
    """onnx_files.py beside this file. Needs onnxruntime."""
    pytest.importorskip("onnxruntime")
    return module_at(Path(__file__).with_name("onnx_files.py"), "meshopt_generate_onnx")
