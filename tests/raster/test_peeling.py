"""Depth peeling: `rasterize(..., behind=fragments)` enumerates every face of every pixel once, front to back."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from meshopt import parallel, raster
from meshopt.raster.reference import weights

CPU, REFERENCE = raster.get("cpu"), raster.get("reference")
SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=5, deadline=None, derandomize=True, database=None, phases=[Phase.generate])

backends = pytest.mark.parametrize("backend", [CPU, REFERENCE], ids=lambda backend: backend.name)
kinds = pytest.mark.parametrize("kind", ["blob", "sheet", "soup", "slivers", "near", "huge", "tiny", "grid", "mixed"])


def peel(backend, clip, faces, size):
    """All layers, the last of them empty."""
    layers = [backend.rasterize(clip, faces, size)]
    while (layers[-1].face >= 0).any():
        assert len(layers) <= len(faces) + 1
        layers.append(backend.rasterize(clip, faces, size, behind=layers[-1]))
    return layers


def alone(backend, clip, faces, size):
    """Which pixels each face covers where there is no other [F,V,H,W]."""
    if not len(faces):
        return torch.zeros(0, len(clip), *size, dtype=torch.bool)
    return torch.stack([backend.rasterize(clip, face[None], size).face >= 0 for face in faces])


@backends
@kinds
@few
@given(seed=SEEDS)
def test_layers_enumerate_each_covering_face_once_front_to_back(scenes, backend, kind, seed):
    scene = scenes.scene(kind, seed, views=2)
    clip = scene.clip if backend is CPU else scene.clip.double()
    faces = scene.faces[:60]
    layers = peel(backend, clip, faces, scene.size)
    times = torch.zeros(len(faces) + 1, *layers[0].face.shape, dtype=torch.int32)
    for layer in layers:
        times.scatter_add_(0, layer.face[None].long() % (len(faces) + 1), torch.ones_like(layer.face)[None])
    assert torch.equal(times[:-1], alone(backend, clip, faces, scene.size).int())
    for a, b in itertools.pairwise(layers):
        assert not ((a.face < 0) & (b.face >= 0)).any()
        both = b.face >= 0
        if backend is REFERENCE:
            after = (b.depth > a.depth) | ((b.depth == a.depth) & (b.face > a.face))
            assert after[both].all()
        else:  # the order is that of depths on snapped faces
            for view in range(2):
                oracle = scenes.Oracle(clip[view], faces, scene.size)
                slack = np.broadcast_to(oracle.slack, oracle.depth.shape)
                near, far = (np.maximum(layer.face[view].numpy(), 0)[None] for layer in (a, b))
                low = np.take_along_axis(oracle.depth - slack, near, 0)[0]
                high = np.take_along_axis(oracle.depth + slack, far, 0)[0]
                assert (low <= high)[both[view].numpy()].all()


@backends
@few
@given(seed=SEEDS)
def test_rays_enter_and_leave_a_closed_mesh_by_turns(scenes, backend, seed):
    """No face of it is cut off by the near or far plane here, and it does not pass through itself."""
    scene = scenes.scene("blob", seed, views=2, size=(21, 16))
    assume(scene.clip[..., 3].min() > 0.2)
    clip = scene.clip if backend is CPU else scene.clip.double()
    clip = torch.cat([clip[..., :2], clip[..., 2:3] * 0.3, clip[..., 3:]], -1)
    layers = peel(backend, clip, scene.faces, scene.size)
    count = sum((layer.face >= 0).int() for layer in layers)
    assert (count % 2 == 0).all()
    assert count.max() >= 2
    corners = clip.double()[:, scene.faces.long()][..., [0, 1, 3]]
    front = torch.linalg.det(corners) > 0  # [V,F]
    view = torch.arange(2)[:, None, None].expand(count.shape)
    sides = [front[view, layer.face.clamp(min=0).long()].int() * 2 - 1 for layer in layers]
    sides = [torch.where(layer.face >= 0, side, 0) for layer, side in zip(layers, sides, strict=True)]
    assert not sum(sides).any()  # as many face the camera as do not
    wrong = sum(((b != 0) & (a + b != 0)).int() for a, b in itertools.pairwise(sides))
    assert (wrong > 0).float().mean() <= (0 if backend is REFERENCE else 0.01)  # at folds snapping may swap two


@backends
def test_faces_of_one_depth_are_peeled_in_order(backend):
    corners = torch.tensor([[-1, -1, 0.5, 1], [1, -1, 0.5, 1], [0, 1, 0.5, 1.0]]).double()
    clip = torch.cat([corners, corners * torch.tensor([1, 1, -1, 1]), corners])[None]
    faces = torch.tensor([[0, 1, 2], [3, 4, 5], [0, 1, 2], [6, 7, 8]], dtype=torch.int32)
    layers = peel(backend, clip if backend is REFERENCE else clip.float(), faces, (8, 8))
    assert [int(layer.face[0, 3, 4]) for layer in layers] == [1, 0, 2, 3, -1]
    assert [float(layer.depth[0, 3, 4]) for layer in layers] == pytest.approx([-0.5, 0.5, 0.5, 0.5, 0])


@pytest.mark.parametrize("kind", ["blob", "sheet"])
def test_weights_of_deeper_layers_carry_gradients(scenes, kind):
    scene = scenes.scene(kind, 3, views=2, size=(24, 24))
    fast, slow = scene.clip.clone().requires_grad_(), scene.clip.double().requires_grad_()
    first = CPU.rasterize(fast, scene.faces, scene.size)
    second = CPU.rasterize(fast, scene.faces, scene.size, behind=first)
    expected = weights(slow, scene.faces, second.face)
    share = torch.cat([expected, 1 - expected.sum(-1, keepdim=True)], -1)
    inside = (second.face >= 0) & (share.amin(-1) >= 0)
    assert inside.sum() > 20
    weight = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0)) * inside[..., None]
    found, wanted = (
        torch.autograd.grad((bary * weight).sum(), clip)[0] for bary, clip in ((second.bary, fast), (expected, slow))
    )
    assert ((second.bary - expected).abs().amax(-1) < 1e-4)[inside].all()
    assert (found - wanted).abs().max() <= 1e-3 * wanted.abs().max()


@backends
def test_nothing_lies_behind_nothing(scenes, backend):
    scene = scenes.scene("blob", 3, size=(16, 16))
    clip = scene.clip.double() if backend is REFERENCE else scene.clip
    first = backend.rasterize(clip, scene.faces, scene.size)
    after = backend.rasterize(clip, scene.faces, scene.size, behind=replace(first, face=first.face * 0 - 1))
    assert (after.face == -1).all()
    assert not after.bary.any()
    assert not after.depth.any()


def test_layers_are_the_same_bytes_for_any_number_of_threads(scenes):
    scene = scenes.scene("blob", 5, views=4, size=(130, 40))

    def everything():
        layers = peel(CPU, scene.clip, scene.faces, scene.size)
        return [t.numpy().tobytes() for layer in layers for t in (layer.face, layer.bary, layer.depth)]

    with parallel.limit(1):
        expected = everything()
    for count in (2, 3):
        with parallel.limit(count):
            assert everything() == expected
