"""What a textured mesh looks like in the views, and how well it fits."""

from __future__ import annotations

from dataclasses import replace

import torch

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.mesh import Mesh, Texture
from meshopt.rendering import fit, render_views
from meshopt.views import ViewSet

SIZE = 64


def plate() -> Mesh:
    """A square of side 1 that faces +Z, red left, green right, the upper half brighter."""
    vertices = torch.tensor([[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [-0.5, 0.5, 0.0]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    color = torch.zeros(32, 32, 3, dtype=torch.uint8)
    color[:, :16, 0], color[:, 16:, 1] = 128, 128
    color[:16] = color[:16] + color[:16] // 2
    uv = torch.tensor([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    return Mesh(vertices, faces, texture=Texture(uv, faces.clone(), color))


def views() -> ViewSet:
    blank = torch.zeros(1, SIZE, SIZE, 3)
    return ViewSet((Camera.orbit("front", 0),), blank, blank[..., 0], rgb=blank)


def test_texture_stands_upright_and_is_not_mirrored() -> None:
    shown = render_views(raster.get("cpu"), plate(), views()).rgb
    assert shown is not None
    expected = {(24, 24): (192, 0), (24, 40): (0, 192), (40, 24): (128, 0), (40, 40): (0, 128)}
    for (row, column), (red, green) in expected.items():
        assert torch.allclose(255 * shown[0, row, column], torch.tensor([red, green, 0.0]), atol=1)
    assert not shown[0, 2].any()


def test_fit_tells_how_far_colours_are_off() -> None:
    target = views()
    found = render_views(raster.get("cpu"), plate(), target)
    given = replace(target, masks=found.masks, normals=found.normals, rgb=(found.rgb + 0.1).clamp(0, 1))
    row = fit(found, given)[0]
    assert row["silhouette_iou"] == 1
    assert abs(row["colour_psnr_db"] - 20) < 0.01
    assert fit(found, target)[0]["colour_psnr_db"] is None
    assert "colour_psnr_db" not in fit(found, replace(target, rgb=None))[0]
