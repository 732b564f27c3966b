"""A pass keeps what it promises for any closed surface, and passes converge to the target length."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt.remesh import RemeshSettings, remesh
from meshopt.topology import edges, topology


def passes(surface, length, count, attributes=None, **options):
    """`count` passes with a constant or given target length."""
    vertices, faces = surface
    target = length if isinstance(length, torch.Tensor) else torch.full((len(vertices),), length)
    for _ in range(count):
        result = remesh(vertices, faces, target, attributes, RemeshSettings(**options))
        vertices, faces = result.vertices, result.faces
        target, attributes = result.target_length, result.attributes
    return result


def ratios(result) -> np.ndarray:
    """Edge lengths over target."""
    ends = edges(result.faces).long()
    length = (result.vertices[ends[:, 0]] - result.vertices[ends[:, 1]]).norm(dim=1)
    return (length / result.target_length[ends].mean(dim=1)).numpy()


def assert_same_kind(result, genus=0, components=1):
    """Closed, manifold, oriented, of this genus and number of components, no face twice."""
    found = topology(result.vertices, result.faces)
    assert (found.closed, found.manifold, found.oriented) == (True, True, True)
    assert (found.genus, found.components) == (genus, components)
    assert found.euler == 2 * (components - genus)
    assert found.vertices == len(result.vertices)
    assert len(np.unique(np.sort(result.faces.numpy(), axis=1), axis=0)) == len(result.faces)
    return found


@pytest.mark.parametrize(("length", "drift"), [(0.06, 0.01), (0.2, 0.04)])
@pytest.mark.parametrize("name", ["sphere", "torus", "cube"])
def test_lengths_converge_and_the_shape_stays(name, length, drift, request):
    surface = request.getfixturevalue(name)
    before = topology(*surface)
    result = passes(surface, length, 10)
    after = assert_same_kind(result, genus=int(name == "torus"))
    good = (ratios(result) > 0.6) & (ratios(result) < 1.5)
    assert good.mean() > 0.96
    assert after.angle_p1 > 20
    assert after.self_intersecting_faces == after.flipped_faces == after.degenerate_faces == 0
    assert after.volume == pytest.approx(before.volume, rel=drift)
    assert after.area == pytest.approx(before.area, rel=drift)


def test_features_survive(cube):
    """A cube keeps its corners and its flat sides, fine or coarse."""
    for length in (0.05, 0.3):
        result = passes(cube, length, 10)
        corners = torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
        assert torch.cdist(corners, result.vertices).min(dim=1).values.max() < 0.05 * length
        off = (result.vertices.abs().max(dim=1).values - 0.5).abs()
        assert off.max() < 0.02 * length


def test_settled_mesh_is_left_alone(sphere):
    result = passes(sphere, 0.1, 60)
    counts = remesh(result.vertices, result.faces, result.target_length).counts
    assert counts.splits + counts.collapses + counts.flips < 0.005 * len(result.faces)


def test_graded_target(sphere):
    vertices, _ = sphere
    result = passes(sphere, 0.05 + 0.1 * (vertices[:, 2] + 1), 12)
    assert_same_kind(result)
    good = (ratios(result) > 0.6) & (ratios(result) < 1.5)
    assert good.mean() > 0.95


def test_split_interpolates_linear_functions_exactly(sphere):
    vertices, _ = sphere
    matrix = torch.tensor([[1.0, -2.0, 0.5], [0.25, 3.0, 1.0]])
    linear = vertices @ matrix.T + 1
    result = passes(sphere, 0.08, 3, linear, collapse_below=0.0, relax=0.0)
    assert result.counts.collapses == 0
    assert len(result.vertices) > 2 * len(vertices)
    assert torch.allclose(result.attributes, result.vertices @ matrix.T + 1, atol=1e-5)


def test_collapse_mixes_the_ends(sphere):
    """Values stay within their range, a constant stays constant, a function of place stays near its place."""
    vertices, _ = sphere
    values = torch.cat([vertices, torch.full((len(vertices), 1), 7.0)], dim=1)
    result = passes(sphere, 0.3, 5, values, relax=0.0)
    assert result.counts.splits == 0
    assert len(result.vertices) < 0.5 * len(vertices)
    assert (result.attributes[:, 3] == 7).all()
    assert result.attributes[:, :3].abs().max() <= values[:, :3].abs().max()
    assert (result.attributes[:, :3] - result.vertices).norm(dim=1).max() < 0.1


def test_devices_and_dtypes_follow_the_input(sphere):
    vertices, faces = sphere
    result = remesh(vertices.double(), faces.long(), torch.full((len(vertices),), 0.1, dtype=torch.float64))
    assert (result.vertices.dtype, result.faces.dtype) == (torch.float64, torch.int64)
    assert result.target_length.dtype == torch.float64
    assert result.attributes is None


def test_input_is_not_changed(sphere):
    vertices, faces = sphere
    copies = vertices.clone(), faces.clone()
    passes(sphere, 0.2, 1)
    assert torch.equal(vertices, copies[0])
    assert torch.equal(faces, copies[1])


def test_known_connectivity_gives_the_same(sphere):
    """With the last result or without, also if that is of another mesh or was changed since."""
    vertices, faces = sphere
    first = remesh(vertices, faces, torch.full((len(vertices),), 0.1), vertices)
    arguments = first.vertices * 1.1, first.faces, first.target_length, first.attributes
    plain = remesh(*arguments)
    other = remesh(vertices, faces, torch.full((len(vertices),), 0.3))
    for previous in (first, other):
        again = remesh(*arguments, previous=previous)
        assert torch.equal(again.vertices, plain.vertices)
        assert torch.equal(again.faces, plain.faces)
        assert torch.equal(again.attributes, plain.attributes)
    first.faces.copy_(first.faces.roll(1, 1))
    turned = remesh(*arguments, previous=first)
    assert torch.equal(turned.faces, remesh(*arguments).faces)


def test_neighbouring_long_edges_are_all_split(sphere):
    """Every edge is too long: each gets its midpoint, none is split twice."""
    vertices, faces = sphere
    ends = edges(faces).long()
    result = passes(sphere, 0.05, 1, collapse_below=0.0, relax=0.0)
    assert result.counts.splits == len(ends)
    middles = 0.5 * (vertices[ends[:, 0]] + vertices[ends[:, 1]])
    gaps = torch.cdist(middles, result.vertices, compute_mode="donot_use_mm_for_euclid_dist")
    assert gaps.min(dim=1).values.max() < 1e-6


def test_target_that_varies_fivefold_is_followed(sphere):
    """Edges follow a field of the place, pass for pass; what is reached stays."""
    vertices, faces = sphere
    for _ in range(25):
        target = 0.03 * 5 ** (0.5 + 0.5 * torch.sin(4 * vertices[:, 0]))
        result = remesh(vertices, faces, target, None, RemeshSettings(relax=0.5))
        vertices, faces = result.vertices, result.faces
    found = assert_same_kind(result)
    good = (ratios(result) > 0.6) & (ratios(result) < 1.5)
    assert good.mean() > 0.98
    assert result.counts.splits + result.counts.collapses < 0.01 * len(faces)
    assert found.angle_p1 > 25
    assert found.self_intersecting_faces == found.flipped_faces == 0


def test_same_bytes_from_any_thread(torus):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: passes(torus, 0.07, 4), range(6)))
    assert len({r.vertices.numpy().tobytes() + r.faces.numpy().tobytes() for r in results}) == 1


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    noise=st.floats(0, 0.3),
    low=st.floats(0.03, 0.5),
    spread=st.floats(1, 8),
    genus=st.integers(0, 1),
    squash=st.sampled_from([1.0, 1e-2, 1e-5, 0.0]),
)
def test_any_noise_and_any_target_keep_the_surface(sphere, torus, seed, noise, low, spread, genus, squash):
    vertices, faces = torus if genus else sphere
    generator = torch.Generator().manual_seed(seed)
    target = low * (1 + (spread - 1) * torch.rand(len(vertices), generator=generator))
    moved = (vertices + noise * torch.randn(vertices.shape, generator=generator)) * torch.tensor([1, 1, squash])
    result = passes((moved, faces), target, 3)
    assert torch.isfinite(result.vertices).all()
    assert_same_kind(result, genus=genus)
    assert result.target_length.min() >= target.min()
    assert result.target_length.max() <= target.max()


def test_passes_heal_folds(sphere):
    """Noise of half an edge folds faces over; remeshing with the noise gone from then on unfolds most of
    them."""
    vertices, faces = sphere
    generator = torch.Generator().manual_seed(3)
    moved = vertices + 0.06 * torch.randn(vertices.shape, generator=generator)
    before = topology(moved, faces)
    assert before.flipped_faces > 20
    after = assert_same_kind(passes((moved, faces), 0.16, 10))
    assert after.flipped_faces < 0.4 * before.flipped_faces
    assert after.self_intersecting_faces <= before.self_intersecting_faces


def test_tetrahedra_survive(two_tetrahedra):
    for length in (100.0, 0.1):
        result = passes(two_tetrahedra, length, 6)
        found = assert_same_kind(result, components=2)
        assert found.volume == pytest.approx(1 / 3, rel=1e-3)
    assert found.faces > 100


def test_zero_length_edges_are_collapsed(sphere):
    vertices, faces = sphere
    stuck = vertices.clone()
    ends = edges(faces)[::40].long()
    stuck[ends[:, 0]] = stuck[ends[:, 1]]
    assert topology(stuck, faces).degenerate_faces > 0
    result = passes((stuck, faces), 0.15, 4)
    assert assert_same_kind(result).degenerate_faces == 0


def test_everything_in_one_point_stays_closed(sphere):
    vertices, faces = sphere
    assert_same_kind(passes((torch.zeros_like(vertices), faces), 0.1, 2))


def test_needles_get_better(sphere):
    """A sphere stretched a hundredfold is all needles."""
    vertices, faces = sphere
    long = vertices * torch.tensor([100.0, 1.0, 1.0])
    before = topology(long, faces)
    after = assert_same_kind(passes((long, faces), 0.5, 12))
    assert before.angle_median < 5
    assert after.angle_median > 35
    assert after.volume == pytest.approx(before.volume, rel=0.02)
