"""The surface of any field is closed and 2-manifold, and that of a known shape has its measures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshopt.initial.tetrahedra import marching_tetrahedra
from meshopt.mesh import Mesh


def surface(values, origin=(0.0, 0.0, 0.0), spacing=1.0) -> Mesh:
    vertices, faces = marching_tetrahedra(np.asarray(values, np.float32), np.array(origin, float), spacing)
    return Mesh(torch.from_numpy(vertices), torch.from_numpy(faces))


def sampled(function, half: int = 24):
    """The field over [-1, 1]^3, its origin and spacing."""
    axis = np.linspace(-1, 1, 2 * half + 1)
    return function(*np.meshgrid(axis, axis, axis, indexing="ij")), (-1.0, -1.0, -1.0), 1.0 / half


@st.composite
def fields(draw) -> np.ndarray:
    """Noise of several kinds: many sign changes, exact zeros, huge and tiny values side by side, NaN."""
    shape = tuple(draw(st.integers(1, 5)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(("normal", "signs", "wild", "nan")))
    values = rng.normal(size=shape) + draw(st.sampled_from((-0.8, 0.0, 0.8)))
    if kind == "signs":
        values = np.round(values)
    elif kind == "wild":
        values *= 10.0 ** rng.integers(-12, 13, shape)
    elif kind == "nan":
        values[rng.random(shape) < 0.2] = np.nan
    return values.astype(np.float32)


@settings(max_examples=150, deadline=None)
@given(fields())
def test_any_field_has_a_sound_surface(sound, values) -> None:
    mesh = surface(values)
    if not (values > 0).any():
        assert len(mesh.faces) == len(mesh.vertices) == 0
        return
    assert sound(mesh).degenerate_faces == 0


@settings(max_examples=40, deadline=None)
@given(fields())
def test_vertices_lie_between_inside_and_outside(values) -> None:
    """Each within a step of a sample that is inside, along all axes, and nearer to none than 5 % of an edge."""
    points, inside = surface(values).vertices.double().numpy(), np.argwhere(values > 0)
    if len(inside):
        away = np.abs(points[:, None] - inside).max(axis=-1).min(axis=1)
        assert away.max() < 1
        assert away.min() > 0.049


def test_sphere(sound) -> None:
    mesh = surface(*sampled(lambda x, y, z: 0.7 - np.sqrt(x * x + y * y + z * z)))
    found = sound(mesh)
    assert (found.components, found.euler, found.genus) == (1, 2, 0)
    assert found.volume == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=0.01)
    assert found.area == pytest.approx(4 * np.pi * 0.7**2, rel=0.01)
    assert found.degenerate_faces == found.self_intersecting_faces == 0
    away = (mesh.vertices.norm(dim=1) - 0.7).abs()
    assert float(away.max()) < 0.05 * 3**0.5 / 24 + 1e-3  # vertices keep 5 % of a diagonal from its ends
    assert float(away.median()) < 1e-3


def test_torus(sound) -> None:
    found = sound(surface(*sampled(lambda x, y, z: 0.25 - np.hypot(np.hypot(x, z) - 0.6, y))))
    assert (found.components, found.euler, found.genus) == (1, 0, 1)
    assert found.volume == pytest.approx(2 * np.pi**2 * 0.6 * 0.25**2, rel=0.02)
    assert found.area == pytest.approx(4 * np.pi**2 * 0.6 * 0.25, rel=0.02)


def test_hollow_ball_has_two_shells(sound) -> None:
    found = sound(surface(*sampled(lambda x, y, z: 0.2 - np.abs(np.sqrt(x * x + y * y + z * z) - 0.6))))
    assert (found.components, found.euler) == (2, 4)
    assert found.volume == pytest.approx(4 / 3 * np.pi * (0.8**3 - 0.4**3), rel=0.01)


def test_field_that_reaches_the_border_is_closed_there(sound) -> None:
    found = sound(surface(np.ones((4, 5, 6)), (1.0, 2.0, 3.0), 0.5))
    assert (found.components, found.euler) == (1, 2)
    assert 0.5**3 * 3 * 4 * 5 < found.volume < 0.5**3 * 5 * 6 * 7


def test_origin_and_spacing_place_the_surface() -> None:
    values = np.random.default_rng(3).normal(size=(5, 6, 7))
    plain, placed = surface(values), surface(values, (0.5, -2.0, 8.0), 0.25)
    expected = plain.vertices * 0.25 + torch.tensor([0.5, -2.0, 8.0])
    assert torch.equal(plain.faces, placed.faces)
    assert torch.allclose(placed.vertices, expected, atol=1e-6)


def test_same_bytes_again() -> None:
    values = np.random.default_rng(5).normal(size=(12, 11, 10))
    one, two = surface(values), surface(values.copy())
    assert torch.equal(one.vertices, two.vertices)
    assert torch.equal(one.faces, two.faces)
