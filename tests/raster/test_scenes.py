"""The CPU rasteriser against its float64 twin in random scenes of every kind: values.

Where an answer depends on what lies within 1/128 pixel of a border or on depths that float32 cannot tell apart, any
admissible answer is right (`scenes.Oracle`); everywhere else there is one.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from meshopt import raster
from meshopt.raster.reference import MARGIN, silhouette_pairs, weights

CPU, REFERENCE = raster.get("cpu"), raster.get("reference")
KINDS = ["blob", "sheet", "soup", "slivers", "near", "huge", "tiny", "grid", "mixed"]
EPS = 2.0**-23

SEEDS = st.integers(0, 2**32 - 1)
few = settings(
    max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.generate]
)  # seeds do not shrink
every_kind = pytest.mark.parametrize("kind", KINDS)


def test_every_kind_of_scene_is_tested(scenes):
    assert scenes.KINDS == KINDS


class Rounding:
    """What float32 may do to weights and z/w at every pixel [V,H,W], given the visible faces.

    q = (x - X w, y - Y w) is off by EPS times `scale`, the largest of |x|, |y|, |w|; a doubled area by that times |q|;
    weights are areas over their sum `total`. Sixteen such roundings are granted.
    """

    def __init__(self, clip, faces, face):
        corners = clip.double()[torch.arange(len(clip))[:, None, None, None], faces.long()[face.clamp(min=0).long()]]
        height, width = face.shape[1:]
        x = ((2 * torch.arange(width).double() + 1) / width - 1)[None, None, :, None]
        y = ((2 * torch.arange(height).double() + 1) / height - 1)[None, :, None, None]
        qx, qy = corners[..., 0] - x * corners[..., 3], corners[..., 1] - y * corners[..., 3]
        areas = qx.roll(-1, -1) * qy.roll(-2, -1) - qy.roll(-1, -1) * qx.roll(-2, -1)
        self.total = areas.sum(-1)
        self.scale = corners[..., [0, 1, 3]].abs().amax((-1, -2))
        self.weights = 16 * EPS * self.scale * torch.hypot(qx, qy).amax(-1) / self.total.abs()
        w, z = ((areas * corners[..., k]).sum(-1) / self.total for k in (3, 2))
        self.true_depth = z / w
        spread = (corners[..., 2] - self.true_depth[..., None] * corners[..., 3]).abs().amax(-1) / w.abs()
        self.depth = self.weights * spread + 8 * EPS
        self.sides = (torch.hypot(qx, qy)[..., :2] + torch.hypot(qx, qy)[..., 2:]).sum(
            -1
        )  # at least |q0 - q2| + |q1 - q2|

    def positions(self, slope):
        """Of the gradient to x, y, w of a face's vertices from a pixel; `slope`: the loss's by the weights, at most."""
        lever = self.sides * slope / self.total.abs()
        return slope * 16 * EPS * self.scale / self.total.abs() + lever * (5 * self.weights + 64 * EPS)


@every_kind
@few
@given(seed=SEEDS)
def test_the_visible_face_is_right_at_every_pixel(scenes, kind, seed):
    scene = scenes.scene(kind, seed, views=2)
    fast = CPU.rasterize(scene.clip, scene.faces, scene.size).face
    slow = REFERENCE.rasterize(scene.clip.double(), scene.faces, scene.size).face
    for view, clip in enumerate(scene.clip):
        oracle = scenes.Oracle(clip, scene.faces, scene.size)
        assert oracle.allows(slow[view]).all()
        assert oracle.allows(fast[view]).all()
        assert (fast[view] == slow[view]).numpy()[oracle.decided()].all()


@pytest.mark.parametrize(("kind", "decided"), [("blob", 0.85), ("soup", 0.9), ("near", 0.9), ("tiny", 0.97)])
def test_the_oracle_decides_most_pixels(scenes, kind, decided):
    """Else the test above would say little."""
    found = [scenes.scene(kind, seed, size=(32, 40)) for seed in range(5)]
    assert np.mean([scenes.Oracle(s.clip[0], s.faces, s.size).decided().mean() for s in found]) > decided


@every_kind
@few
@given(seed=SEEDS)
def test_weights_and_depth_are_those_of_the_visible_face(scenes, kind, seed):
    scene = scenes.scene(kind, seed, views=2)
    found = CPU.rasterize(scene.clip, scene.faces, scene.size)
    expected = weights(scene.clip.double(), scene.faces, found.face)
    u, v = expected.unbind(-1)
    inside = (found.face >= 0) & (torch.minimum(torch.minimum(u, v), 1 - u - v) >= 0)  # snapping may leave the face
    rounding = Rounding(scene.clip, scene.faces, found.face)
    assert ((found.bary - expected).abs().amax(-1) <= rounding.weights)[inside].all()
    assert ((found.depth - rounding.true_depth).abs() <= rounding.depth)[inside].all()
    third = 1 - found.bary.sum(-1)
    for share in (*found.bary.unbind(-1), third):
        assert ((share >= -2 * EPS) & (share <= 1 + 2 * EPS)).all()
    assert not found.bary[found.face < 0].any()
    assert not found.depth[found.face < 0].any()


@every_kind
@few
@given(seed=SEEDS)
def test_interpolated_attributes_agree(scenes, kind, seed):
    scene = scenes.scene(kind, seed, views=2)
    fragments = CPU.rasterize(scene.clip, scene.faces, scene.size)
    for channels, views in ((1, 1), (4, 2), (5, 1)):
        attributes = scene.attributes(channels, views)
        slow = REFERENCE.interpolate(attributes.double(), replace(fragments, bary=fragments.bary.double()), scene.faces)
        fast = CPU.interpolate(attributes, fragments, scene.faces)
        assert ((fast - slow).abs() <= 4 * EPS * attributes.abs().max()).all()
        assert not fast[fragments.face < 0].any()


@every_kind
@few
@given(seed=SEEDS)
def test_gradients_of_interpolated_pictures_agree(scenes, kind, seed):
    """To positions, through the weights, and to attributes; for pixels inside their face that float32 can serve."""
    scene = scenes.scene(kind, seed, views=2)
    attributes = scene.attributes(3, views=1 + seed % 2)
    c32, a32, c64, a64 = (
        t.requires_grad_() for t in (scene.clip.clone(), attributes, scene.clip.double(), attributes.double())
    )
    fragments = CPU.rasterize(c32, scene.faces, scene.size)
    exact = weights(c64, scene.faces, fragments.face)
    rounding = Rounding(scene.clip, scene.faces, fragments.face)
    share = torch.cat([exact, 1 - exact.sum(-1, keepdim=True)], -1).detach()
    served = (fragments.face >= 0) & (share.amin(-1) >= 0) & (rounding.weights < 1e-3)
    image = CPU.interpolate(a32, fragments, scene.faces)
    expected = REFERENCE.interpolate(a64, replace(fragments, bary=exact), scene.faces)
    weight = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed % 1000)) * served[..., None]
    found = torch.autograd.grad((image * weight).sum(), (c32, a32))
    wanted = torch.autograd.grad((expected * weight).sum(), (c64, a64))

    view, row, column = served.nonzero(as_tuple=True)
    corners = scene.faces.long()[fragments.face[served].long()]  # [P,3]
    values = attributes.detach().expand(2, -1, -1)[view[:, None], corners].double()  # [P,3,C]
    w = weight[served].double().abs()
    slope = ((values[:, :2] - values[:, 2:]).abs().amax(1) * w).sum(-1)
    position, attribute = torch.zeros(2, scene.clip.shape[1]).double(), torch.zeros(2, *attributes.shape[1:]).double()
    each = torch.zeros(fragments.face.shape).double().index_put((view, row, column), slope)
    each = rounding.positions(each)[served][:, None].expand(-1, 3)
    position.index_put_((view[:, None].expand(-1, 3), corners), each, accumulate=True)
    each = (w * (2 * rounding.weights[served][:, None] + 64 * EPS))[:, None].expand(-1, 3, -1)
    attribute.index_put_((view[:, None].expand(-1, 3), corners), each, accumulate=True)
    if len(attributes) == 1:
        attribute = attribute.sum(0, keepdim=True)
    assert ((found[0] - wanted[0]).abs() <= position[..., None]).all()
    assert ((found[1] - wanted[1]).abs() <= attribute).all()
    assert not found[0][..., 2].any()


def doubtful(scene):
    """Pixels [V,H,W] of pairs where rounding or snapping decides: an edge meets their row or column close to a centre.

    Or in the middle between two centres: the colour is the same on both sides of it, but it comes from another pixel.
    """
    found = torch.zeros(len(scene.clip), *scene.size, dtype=torch.bool)
    edges = torch.cat([scene.faces[:, [0, 1]], scene.faces[:, [1, 2]], scene.faces[:, [2, 0]]]).long()
    for view, clip in enumerate(scene.clip.double()):
        a, b = clip[edges[:, 0], None], clip[edges[:, 1], None]  # [E,1,4]
        for axis in range(2):
            size, lines = scene.size[1 - axis], scene.size[axis]
            level = (2 * torch.arange(lines).double() + 1) / lines - 1
            qa, qb = (v[..., 1 - axis] - level * v[..., 3] for v in (a, b))  # [E,L]
            slope = qa * b[..., 3] - qb * a[..., 3]
            at = (qa * b[..., axis] - qb * a[..., axis]) / slope
            position = (at + 1) * size / 2 - 0.5
            close = (position - position.round()).abs() < MARGIN
            close |= (position - position.floor() - 0.5).abs() < 1e-4
            close &= (qa * qb <= 0) & (position > -2) & (position < size + 1)
            line = close.nonzero()[:, 1]
            for step in (-1, 0, 1, 2):
                place = (position[close].floor().long() + step).clamp(0, size - 1)
                found[(view, line, place) if axis == 0 else (view, place, line)] = True
    return found


@every_kind
@few
@given(seed=SEEDS)
def test_antialiased_pictures_and_their_gradients_agree(scenes, kind, seed):
    """With the same fragments: blended shares and slopes are float32, each pixel takes part in a few pairs."""
    scene = scenes.scene(kind, seed, views=2).generic()
    clip, faces, fragments = scene.clip, scene.faces, CPU.rasterize(scene.clip, scene.faces, scene.size)
    image, weight = torch.rand(2, *fragments.face.shape, 3, generator=torch.Generator().manual_seed(seed % 1000))
    clear = ~doubtful(scene)[..., None]
    p32, c32, p64, c64 = (t.requires_grad_() for t in (image.clone(), clip.clone(), image.double(), clip.double()))
    fast, slow = CPU.antialias(p32, fragments, c32, faces), REFERENCE.antialias(p64, fragments, c64, faces)
    assert ((fast - slow).abs() * clear <= 4 * EPS * (1 + (slow - image).abs())).all()
    found = torch.autograd.grad((fast * weight * clear).sum(), (p32, c32), materialize_grads=True)
    wanted = torch.autograd.grad((slow * weight * clear).sum(), (p64, c64), materialize_grads=True)
    assert ((found[0] - wanted[0]).abs() <= 16 * EPS).all()
    bound = edge_gradient_error(scene, fragments, image, weight * clear)
    assert ((found[1] - wanted[1]).abs() <= bound).all()


def edge_gradient_error(scene, fragments, image, weight):
    """What float32 may do to antialias's gradient to clip positions [V,N,4]: 16 roundings of every pair's share of it.

    And of the edge's direction, which is as good as its length in units of the last place of its ends.
    """
    bound = torch.zeros(scene.clip.shape, dtype=torch.float64)
    for view, pairs in enumerate(silhouette_pairs(scene.clip, scene.faces, fragments)):
        for pair in pairs:
            p, ends = pair.axis, scene.clip[view, list(pair.edge)][:, [0, 1, 3]].double()
            size, lines = scene.size[1 - p], scene.size[p]
            q = ends[:, 1 - p] - ((2 * pair.inner[p] + 1) / lines - 1) * ends[:, 2]
            share = torch.stack([-q[1], q[0]]) / (q[0] * ends[1, 2] - q[1] * ends[0, 2])  # of each end in the point
            normal = torch.linalg.cross(ends[0], ends[1])
            change = (image[view][pair.inner] - image[view][pair.outer]).abs()
            slope = (change * torch.maximum(weight[view][pair.inner].abs(), weight[view][pair.outer].abs())).sum()
            unsure = 1 + ends.abs().max() / (ends[0] - ends[1]).norm()
            push = 16 * EPS * unsure * slope * 0.5 * size * (normal / normal[p]).abs()
            bound[view, list(pair.edge)] += torch.stack([push[0], push[1], 0 * slope, push[2]]) * share[:, None]
    return bound + 1e-12


@few
@given(seed=SEEDS)
def test_on_a_grid_every_face_covers_exactly_what_the_top_left_rule_says(scenes, seed):
    """Corners on multiples of half a pixel, powers of two: all arithmetic is exact, borders included."""
    scene = scenes.scene("grid", seed, size=(16, 32))
    for face in scene.faces:
        fast = CPU.rasterize(scene.clip, face[None], scene.size).face
        assert torch.equal(fast, REFERENCE.rasterize(scene.clip.double(), face[None], scene.size).face)


@few
@given(seed=SEEDS, factor=st.sampled_from([0.5, 1.0, 4.0]), depth=st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.3, 1.0]))
def test_of_equal_depths_the_lower_index_wins(scenes, seed, factor, depth):
    """Overlapping faces in one plane parallel to the image, each of them twice, in any order."""
    scene = scenes.scene("soup", seed, size=(20, 30))
    clip = scene.clip * factor / scene.clip[..., 3:]
    clip[..., 2] = depth * factor
    order = torch.randperm(2 * len(scene.faces), generator=torch.Generator().manual_seed(seed))
    faces = torch.cat([scene.faces, scene.faces])[order]
    for backend, positions in ((CPU, clip), (REFERENCE, clip.double())):
        alone = torch.cat([backend.rasterize(positions, face[None], scene.size).face for face in faces])  # [F,H,W]
        first = torch.where(alone.amax(0) >= 0, (alone >= 0).int().argmax(0), -1)
        if backend is CPU or depth != 0.3:  # the reference's float64 depths differ in the last bit there
            assert torch.equal(backend.rasterize(positions, faces, scene.size).face[0].long(), first)


@pytest.mark.parametrize("backend", [CPU, REFERENCE], ids=["cpu", "reference"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_meshes_without_faces_or_vertices_and_images_without_pixels(backend, size, count):
    clip = torch.tensor([[-3, -3, 0, 1], [3, -3, 0, 1], [0, 6, 0, 1.0]])[None, :count].requires_grad_()
    for faces in (torch.zeros(0, 3, dtype=torch.int32), torch.tensor([[0, 1, 2]] * (count == 3)).reshape(-1, 3).int()):
        fragments = backend.rasterize(clip, faces, size)
        assert fragments.face.shape == (1, *size)
        assert (fragments.face == (0 if len(faces) else -1)).all()
        image = backend.interpolate(torch.ones(1, count, 2), fragments, faces)
        blended = backend.antialias(image, fragments, clip, faces)
        assert (blended == (1 if len(faces) else 0)).all()
        if blended.requires_grad:
            blended.sum().backward()
