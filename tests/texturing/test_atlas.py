"""The figures of atlases that are known."""

from __future__ import annotations

import math

import pytest
import torch

from meshopt.texturing.atlas import Atlas, figures

FACES = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
SQUARE = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.float32)  # seen from +z
UV = torch.tensor([[0, 1], [1, 1], [1, 0], [0, 0]], dtype=torch.float32)  # likewise: v goes down


def atlas(uv: torch.Tensor) -> Atlas:
    return Atlas(uv, FACES, torch.arange(4), torch.zeros(2, dtype=torch.int32), "box")


def test_square() -> None:
    found = figures(atlas(0.5 * UV), SQUARE)
    assert (found.charts, found.mirrored, found.flipped, found.collapsed, found.overlaps) == (1, 0, 0, 0, 0)
    assert found.coverage == pytest.approx(0.25)
    assert found.stretch == pytest.approx(1)
    assert found.anisotropy == pytest.approx((1, 1))


@pytest.mark.parametrize("factor", [0.1, 0.5])
def test_stretched_square(factor: float) -> None:
    found = figures(atlas(UV * torch.tensor([1, factor])), SQUARE)
    assert found.anisotropy == pytest.approx((1 / factor, 1 / factor), rel=1e-5)
    assert found.stretch == pytest.approx(math.sqrt((1 + factor**-2) / 2 * factor), rel=1e-5)


def test_mirrored_flipped_and_collapsed() -> None:
    assert figures(atlas(UV * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])), SQUARE).mirrored == 1
    folded = UV.clone()
    folded[3] = torch.tensor([0.8, 0.4])
    found = figures(atlas(folded), SQUARE)
    assert (found.flipped, found.overlaps) == (1, 1)
    line = UV.clone()
    line[3] = torch.tensor([0.5, 0.5])
    found = figures(atlas(line), SQUARE)
    assert (found.flipped, found.overlaps, found.collapsed) == (0, 0, 1)
