"""Texels know their place on the surface, in the charts and just beside them."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from meshopt import parallel
from meshopt.texturing import texels as module
from meshopt.texturing.texels import GUTTER, Texels

SIZE = 128


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("atlas", ["face_atlas", "side_atlas"])
def test_texels_in_faces_are_found(scenes: ModuleType, atlas: str, mirrored: bool) -> None:
    made = getattr(scenes, atlas)(scenes.sphere(1), mirrored=mirrored)
    found, _ = Texels(made.uv, made.faces, SIZE).at(made.uv, 0, SIZE)
    depth = scenes.depth_in_faces(made, SIZE)
    assert found[depth > 1e-3].all()
    assert not found[depth < -(GUTTER + 1.0)].any()  # the mitre of an acute corner is longer, but no texel's path is
    assert found[(depth < -0.1) & (depth > -1)].mean() > 0.9
    assert (depth > 1e-3).sum() > 0.1 * SIZE**2


@pytest.mark.parametrize("mirrored", [False, True])
def test_affine_functions_are_exact_beside_the_charts_too(scenes: ModuleType, mirrored: bool) -> None:
    atlas = scenes.face_atlas(scenes.box(), mirrored=mirrored)
    slope = np.array([[1.0, -2.0, 0.5], [0.3, 1.0, 4.0]])
    attributes = torch.cat([atlas.uv.double(), atlas.uv.double() @ torch.from_numpy(slope) + 1], dim=1).float()
    inside, values = Texels(atlas.uv, atlas.faces, SIZE).at(attributes, 0, SIZE)
    row, column = np.nonzero(inside)
    places = np.stack([column + 0.5, row + 0.5], axis=1) / SIZE
    assert np.abs(values[inside][:, :2] - places).max() < 1e-5
    assert np.abs(values[inside][:, 2:] - (places @ slope + 1)).max() < 1e-4
    assert (scenes.depth_in_faces(atlas, SIZE)[inside] < -0.5).sum() > 100  # of the gutter


def test_gutter_goes_on_with_its_own_chart(scenes: ModuleType) -> None:
    """A texel beside a chart tells that chart's number."""
    atlas = scenes.face_atlas(scenes.box())
    number = atlas.chart.repeat_interleave(3).float()[:, None]
    inside, values = Texels(atlas.uv, atlas.faces, SIZE).at(number, 0, SIZE)
    cells = np.arange(SIZE) // (SIZE // 4)
    truth = cells[:, None] * 4 + cells
    assert np.abs(values[..., 0] - truth)[inside].max() < 1e-4
    assert inside[:96].any(0).any()
    assert not inside[96:].any()  # twelve faces fill three of four rows


@pytest.mark.parametrize("rows", [1, 5, 50])
def test_bands_make_the_whole(scenes: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    atlas = scenes.side_atlas(scenes.sphere())
    texels = Texels(atlas.uv, atlas.faces, SIZE)
    inside, values = texels.at(atlas.uv, 0, SIZE)
    monkeypatch.setattr(module, "BAND", 2 * rows * SIZE)
    heights = []

    def work(top: int, bottom: int) -> tuple[np.ndarray, np.ndarray]:
        heights.append(bottom - top)
        return texels.at(atlas.uv, top, bottom)

    parts = texels.bands(work, channels=2)
    assert max(heights) == rows
    assert np.array_equal(parts[0], inside)
    assert np.abs(parts[1] - values)[inside].max() < 1e-5


def test_bands_do_not_depend_on_threads(scenes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BAND", 14 * SIZE)
    atlas = scenes.side_atlas(scenes.sphere())
    texels = Texels(atlas.uv, atlas.faces, SIZE)
    several = texels.bands(lambda top, bottom: texels.at(atlas.uv, top, bottom), 2)
    with parallel.limit(1):
        one = texels.bands(lambda top, bottom: texels.at(atlas.uv, top, bottom), 2)
    assert [a.tobytes() for a in one] == [a.tobytes() for a in several]


def test_faces_that_are_points_on_the_texture_do_no_harm(scenes: ModuleType) -> None:
    atlas = scenes.face_atlas(scenes.box())
    uv = atlas.uv.clone()
    uv[:3] = uv[0].clone()
    uv[5] = (uv[3] + uv[4]) / 2
    inside, values = Texels(uv, atlas.faces, SIZE).at(uv, 0, SIZE)
    assert np.isfinite(values).all()
    assert inside.any()


def test_chart_at_the_very_border(scenes: ModuleType) -> None:
    """A face over the whole texture's half: nothing is read from outside."""
    uv = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    inside, values = Texels(uv, torch.tensor([[0, 1, 2]], dtype=torch.int32), 16).at(uv, 0, 16)
    row, column = np.mgrid[:16, :16]
    assert inside[row > column].all()
    assert not inside[column - row > 2 * GUTTER].any()
    assert np.abs(values[inside] - (np.stack([column, row], -1)[inside] + 0.5) / 16).max() < 1e-5
