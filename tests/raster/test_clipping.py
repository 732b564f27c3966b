"""Cutting faces at the view's limits: what is kept is what can be seen, and nothing else."""

import pytest
import torch

from meshopt.raster.clipping import GUARD, clip_to_view


def area(view):
    a, b, c = view.points[view.faces][..., :2].unbind(1)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs().sum() / 2


def test_faces_inside_are_left_as_they_are():
    clip = torch.tensor([[0, 0, 0, 1], [2, 0, 1, 2], [0, 3, -3, 3], [-0.5, 0, 1, 1.0]])
    faces = torch.tensor([[0, 1, 2], [2, 3, 0]])
    view = clip_to_view(clip, faces)
    assert torch.equal(view.faces, faces)
    assert torch.equal(view.origin, torch.arange(2))
    assert torch.allclose(view.points.float(), clip[:, :3] / clip[:, 3:])


@pytest.mark.parametrize("plane", [-1, 1])
def test_a_face_through_near_or_far_plane_is_cut_there(plane):
    """z/w runs from -3 to 3 over the square: a third of it is within [-1, 1], two thirds on either side of one."""
    clip = torch.tensor([[-1, -1, -3, 1], [1, -1, 3, 1], [1, 1, 3, 1], [-1, 1, -3, 1.0]])
    clip[:, 2] += 2.0 * plane
    view = clip_to_view(clip, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    assert float(area(view)) == pytest.approx(4 / 3)
    assert set(view.origin.tolist()) == {0, 1}
    assert view.points[view.faces][..., 2].abs().max() <= 1 + 1e-12


def test_faces_out_of_view_or_behind_or_not_finite_are_left_out():
    clip = torch.tensor([[0, 0, 2, 1], [1, 0, 3, 1], [0, 1, 4, 1], [0, 0, 0, -1], [1, 0, 0, -1], [0, 1, 0, -1.0]])
    clip = torch.cat([clip, torch.tensor([[0, 0, 0, 1], [1, 0, 0, 1], [float("nan"), 0, 0, 1]])])
    view = clip_to_view(clip, torch.tensor([[0, 1, 2], [3, 4, 5], [6, 7, 8]]))
    assert len(view.faces) == 0
    assert len(clip_to_view(clip[:0], torch.zeros(0, 3, dtype=torch.int32)).faces) == 0


@pytest.mark.parametrize("kind", ["near", "huge", "blob", "mixed"])
@pytest.mark.parametrize("seed", range(5))
def test_parts_lie_in_their_faces_and_in_view_and_cover_what_is_in_view(scenes, kind, seed):
    """Random points of each face, as clip positions: inside the limits if and only if a part of the face has them."""
    scene = scenes.scene(kind, seed)
    clip = scene.clip[0].double()
    view = clip_to_view(clip, scene.faces)
    corners = view.points[view.faces]
    assert torch.isfinite(corners).all()
    assert corners[..., 2].abs().max() <= 1 + 1e-9
    assert corners[..., :2].abs().max() <= GUARD + 1e-9
    generator = torch.Generator().manual_seed(seed)
    for f in torch.randperm(len(scene.faces), generator=generator)[:20].tolist():
        triangle = clip[scene.faces[f].long()]
        if not torch.isfinite(triangle).all():
            assert f not in view.origin
            continue
        weight = torch.rand(60, 3, generator=generator, dtype=torch.float64).log().neg()
        points = (weight / weight.sum(1, keepdim=True)) @ triangle
        w = points[:, 3]
        margin = torch.minimum(w - points[:, 2].abs(), GUARD * w - points[:, :2].abs().amax(1)) / w.abs().clamp_min(
            1e-9
        )
        found = covered(points[:, :2] / points[:, 3:], corners[view.origin == f][..., :2])
        surely = (margin > 1e-3) & (w > 1e-4 * clip[clip.isfinite().all(1)].abs().max())
        assert found[surely].all()


def covered(points, triangles):
    """Which points [P,2] lie in one of the triangles [T,3,2], or within 1e-7 of it."""
    if not len(triangles):
        return torch.zeros(len(points), dtype=torch.bool)
    p, q = triangles, triangles.roll(-1, 1)
    edge, offset = q - p, points[:, None, None] - p
    side = (edge[..., 0] * offset[..., 1] - edge[..., 1] * offset[..., 0]) / edge.norm(dim=-1).clamp_min(1e-12)
    return ((side >= -1e-7).all(-1) | (side <= 1e-7).all(-1)).any(1)
