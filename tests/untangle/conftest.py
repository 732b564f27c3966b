"""Surfaces that are tangled on purpose."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.initial.primitives import icosphere
from meshopt.initial.tetrahedra import marching_tetrahedra

Surface = tuple[torch.Tensor, torch.Tensor]


def sphere(levels: int = 3, centre: tuple[float, float, float] = (0.0, 0.0, 0.0), radius: float = 1.0) -> Surface:
    mesh = icosphere(centre, radius, levels)
    return mesh.vertices, mesh.faces


def together(*parts: Surface) -> Surface:
    """Several surfaces as one."""
    first = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces + int(start) for (_, faces), start in zip(parts, first, strict=False)]
    return torch.cat([vertices for vertices, _ in parts]), torch.cat(faces)


def noisy_sphere(size: float = 0.02) -> Surface:
    vertices, faces = sphere(4)
    return vertices + size * torch.randn(vertices.shape, generator=torch.Generator().manual_seed(1)), faces


def dumbbell(radius: float) -> Surface:
    """Two balls on a rod, which is bent to an arc of that radius: below 0.45 the balls pass through each other."""
    axis = np.linspace(-1.6, 1.6, 48)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    balls = np.minimum(np.hypot(np.hypot(x - 1, y), z), np.hypot(np.hypot(x + 1, y), z)) - 0.4
    rod = np.maximum(np.hypot(y, z) - 0.12, np.abs(x) - 1)
    points, faces = marching_tetrahedra(-np.minimum(balls, rod), [-1.6] * 3, axis[1] - axis[0])
    angle, height = points[:, 0] / radius, radius - points[:, 1]
    bent = np.stack([height * np.sin(angle), radius - height * np.cos(angle), points[:, 2]], axis=1)
    return torch.from_numpy(bent), torch.from_numpy(faces)


def plate(depth: float) -> Surface:
    """A thin disc whose two sides are pushed through each other in the middle."""
    vertices, faces = sphere(4)
    push = 1 - depth * torch.exp(-(vertices[:, :2].square().sum(1)) / 0.16)
    return vertices * torch.stack([torch.ones_like(push), torch.ones_like(push), 0.1 * push], dim=1), faces


def disc(turn: float) -> Surface:
    """A thin round sheet, turned about the x axis by so many radians."""
    vertices, faces = sphere(4)
    x, y, z = (vertices * torch.tensor([1.0, 1.0, 0.05])).unbind(1)
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))
    return torch.stack([x, cosine * y - sine * z, sine * y + cosine * z], dim=1), faces


def torus(centre: tuple[float, float, float], turn: float) -> Surface:
    """A ring of radius 0.7 of a tube of radius 0.2, turned about the x axis."""
    axis = np.linspace(-1, 1, 24)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    field = 0.2 - np.hypot(np.hypot(x, y) - 0.7, z)
    points, faces = marching_tetrahedra(field, [-1.0] * 3, axis[1] - axis[0])
    cosine, sine = np.cos(turn), np.sin(turn)
    turned = points @ np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]]) + centre
    return torch.from_numpy(turned.astype(np.float32)), torch.from_numpy(faces)


def inside_out(surface: Surface) -> Surface:
    return surface[0], surface[1].flip(1)


def fin() -> Surface:
    """A vertex of three faces drawn far out through the opposite side."""
    vertices, faces = sphere(3)
    a, b, c = faces[0].tolist()
    n = len(vertices)
    tip = -3 * vertices[[a, b, c]].mean(0, keepdim=True)
    fan = torch.tensor([[a, b, n], [b, c, n], [c, a, n]], dtype=faces.dtype)
    return torch.cat([vertices, tip]), torch.cat([faces[1:], fan])


def flat_fin() -> Surface:
    """A fin whose tip lies in the surface, folded flat: moving vertices does not open it."""
    vertices, faces = fin()
    a, b, c = faces[-3][0], faces[-3][1], faces[-2][1]
    vertices[-1] = (1.4 * vertices[a] + 1.4 * vertices[b] - 1.8 * vertices[c]) * 0.999
    return vertices, faces


def crumpled(levels: int, share: float) -> Surface:
    """A sphere of which a cap, that share of its height, has been thrown about in the cube around it."""
    vertices, faces = sphere(levels)
    random = 2 * torch.rand(vertices.shape, generator=torch.Generator().manual_seed(1)) - 1
    return torch.where(vertices[:, 2:] > 1 - 2 * share, random, vertices), faces


CASES: dict[str, Callable[[], Surface]] = {
    "noise": noisy_sphere,
    "sides passed each other": lambda: plate(2.5),
    "two parts": lambda: together(sphere(4), sphere(3, (1.8, 0.1, 0.0))),
    "fin": fin,
    "part inside out": lambda: together(sphere(4), inside_out(sphere(3, (0.9, 0.1, 0.0), 0.3))),
    "flat fin": flat_fin,
    "much noise": lambda: noisy_sphere(0.1),
}
HARD: dict[str, Callable[[], Surface]] = {
    "deep in each other": lambda: together(sphere(4), sphere(4, (0.7, 0.2, 0.1))),
    "rings": lambda: together(torus((0.0, 0.0, 0.0), 0.1), torus((0.02, 0.03, 0.01), 1.3)),
    "sheets": lambda: together(disc(0.3), disc(1.6)),
    "speck inside out": lambda: together(sphere(4), inside_out(sphere(1, (0.0, 0.1, 1.0), 0.05))),
    "crumpled": lambda: crumpled(4, 0.1),
    "bent": lambda: dumbbell(0.4),
}
"""Moving vertices is not enough."""


@pytest.fixture(params=[*CASES, *HARD])
def tangled(request: pytest.FixtureRequest) -> Surface:
    return {**CASES, **HARD}[request.param]()


@pytest.fixture(params=[*HARD])
def hard(request: pytest.FixtureRequest) -> Surface:
    return HARD[request.param]()


@pytest.fixture
def shapes() -> SimpleNamespace:
    """The makers of surfaces above."""
    makers = (sphere, together, noisy_sphere, plate, torus, inside_out, crumpled, dumbbell)
    return SimpleNamespace(**{maker.__name__: maker for maker in makers})
