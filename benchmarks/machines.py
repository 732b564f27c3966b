"""Seeded things that people make: flat faces, sharp edges and holes, marked differently on each side.

machine:SEED is a chair, a mug, a car, a house, an engine or a tower by SEED % 6; proportions and colours come from the
seed. Edges are rounded by 2 % of a scene unit, but for the tower's, which are exact.
"""

from __future__ import annotations

import numpy as np
import torch
from creatures import BLACK, RED, WHITE, Body, on
from paints import Mark, Model, painted, palette, side, spots, stream, stripes
from solids import box, capsule, cylinder, ellipsoid, ring, turned, without

from meshopt.mesh import Mesh

GRID = 192  # samples per axis
EDGE = 0.012  # band over which solids are joined
LYING, FACING = turned(z=np.pi / 2), turned(x=np.pi / 2)  # a cylinder along x, along z


def chair(body: Body, colours: np.ndarray) -> None:
    """Four legs, a seat with a cushion, and a back with bars; a bag hangs on one side."""
    wide, deep, high = body.between(0.36, 0.46), body.between(0.34, 0.44), body.between(-0.2, 0.0)
    seat = body.add(box((0, high, 0), (wide, 0.05, deep)), colours[0])
    cushion = box((0, high + 0.08, 0.04), (0.85 * wide, 0.05, 0.85 * deep), rounding=0.04)
    body.mark(WHITE, on(body.add(cushion, colours[1], EDGE)), stripes((1, 0, 1), 0.2, 0.3))
    for x, z in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        foot = np.array([x * (wide - 0.07), 0.5 * (high - 0.9), z * (deep - 0.07)])
        body.add(box(foot, (0.055, 0.5 * (high + 0.9), 0.055)), colours[2 + (x > 0)], EDGE)
    top = high + body.between(0.7, 0.85)
    for x in np.linspace(-1, 1, int(body.random.integers(3, 6))):
        place = (x * (wide - 0.05), 0.5 * (high + top), 0.05 - deep)
        body.add(box(place, (0.04, 0.5 * (top - high), 0.04)), colours[2], EDGE)
    head = body.add(box((0, top, 0.05 - deep), (wide, 0.1, 0.055)), colours[4], EDGE)
    body.mark(BLACK, on(head), side(2, 1, 0.05 - deep), ellipsoid((0.1, top, -deep), (0.15, 0.06, 0.3)))
    body.mark(RED, on(head), side(2, -1, deep - 0.05), stripes((1, 0.5, 0), 0.13))
    bag = body.add(box((wide + 0.06, high - 0.12, 0), (0.08, 0.17, 0.14)), colours[5], EDGE)
    body.mark(WHITE, on(bag), spots(body.random, 0.13, 0.04))
    body.mark(BLACK, on(seat), side(1, -1, -high + 0.02), stripes((1, 0, 0), 0.11))


def mug(body: Body, colours: np.ndarray) -> None:
    """Hollow, with a handle at one side, a label in front and bands behind."""
    wide, tall = body.between(0.42, 0.5), body.between(0.55, 0.7)
    base = tall - 0.9
    shell = without(cylinder((0, base, 0), wide, tall), cylinder((0, base + 0.12, 0), wide - 0.07, tall, rounding=0.06))
    body.add(shell, colours[0])
    turn = turned(x=np.pi / 2, y=body.between(-0.3, 0.3))
    handle = ring((wide + 0.08, base, 0), body.between(0.22, 0.28), 0.055, turn)
    body.add(without(handle, cylinder((0, base, 0), wide - 0.03, 1.0)), colours[1], 0.02)
    inside = cylinder((0, base + 0.12, 0), wide - 0.04, tall)
    body.mark(colours[2], on(shell), box((0, base, 0.5), (0.26, 0.3, 0.4)))
    for x in (-0.1, 0.1):
        body.mark(BLACK, on(shell), ellipsoid((x, base + 0.08, 0.5), (0.04, 0.06, 0.4)))
    body.mark(RED, on(shell), ellipsoid((0, base - 0.12, 0.5), (0.13, 0.04, 0.4)))
    body.mark(colours[3], on(shell), side(2, -1), stripes((0.3, 1, 0), 0.17, 0.4))
    body.mark(colours[4], inside)
    spoon = np.array([-0.1, base + tall, -0.1])
    body.add(
        capsule(spoon - np.array([0.1, 2 * tall - 0.1, 0.05]), spoon + np.array([-0.05, 0.3, -0.1]), 0.035),
        colours[5],
        EDGE,
    )


def car(body: Body, colours: np.ndarray) -> None:
    """Facing the front: four wheels, a cabin with windows, lamps, and a load on the roof."""
    wide, long, high = body.between(0.36, 0.44), body.between(0.78, 0.9), body.between(0.13, 0.19)
    hull = body.add(box((0, -0.3, 0), (wide, high, long)), colours[0])
    back, cabin = body.between(-0.25, 0.0), body.between(0.14, 0.2)
    room = box((0, -0.3 + high + cabin, back), (wide - 0.05, cabin + 0.02, 0.42))
    slope = box((0, 0.15, back + 0.75), (1, 1, 0.3), turned(x=-0.5))
    body.add(without(room, slope), colours[1], EDGE)
    glass = -0.3 + high + cabin
    body.mark(np.array([0.35, 0.5, 0.6]), box((0, glass, back + 0.25), (wide - 0.1, 0.7 * cabin, 0.6)))
    body.mark(np.array([0.35, 0.5, 0.6]), box((0, glass, back - 0.05), (1, 0.6 * cabin, 0.15)))
    for x in (-1, 1):
        for z in (-1, 1):
            place = (x * wide, -0.3 - high, z * 0.62 * long)
            wheel = body.add(cylinder(place, 0.19, 0.08, LYING), BLACK, EDGE)
            body.mark(WHITE, on(wheel), cylinder(place, 0.09, 0.3, LYING))
        body.mark(WHITE, on(hull), ellipsoid((0.65 * x * wide, -0.26, long), (0.07, 0.07, 0.1)))
        body.mark(RED, on(hull), box((0.7 * x * wide, -0.22, -long), (0.07, 0.03, 0.1)))
    body.mark(BLACK, on(hull), box((0, -0.38, long), (0.13, 0.04, 0.1)))
    body.mark(colours[2], on(hull), side(0, 1, 0.3), stripes((0, 1, 1), 0.25, 0.3))
    body.mark(colours[3], on(hull), side(0, -1, 0.3), spots(body.random, 0.2, 0.06))
    top = -0.3 + high + 2 * cabin
    load = box((0.08, top + 0.06, back - 0.12), (0.18, 0.1, 0.2), turned(y=body.between(-0.4, 0.4)))
    body.mark(WHITE, on(body.add(load, colours[4], EDGE)), stripes((1, 0, 1), 0.15, 0.3))


def house(body: Body, colours: np.ndarray) -> None:
    """Walls, a roof that stands out, a chimney, a porch; a door and windows."""
    wide, deep, wall = body.between(0.5, 0.62), body.between(0.4, 0.55), body.between(0.32, 0.42)
    middle, pitch = wall - 0.9, body.between(0.6, 0.8)
    walls = body.add(box((0, middle, 0), (wide, wall, deep)), colours[0])
    eaves = 2 * wall - 0.9
    prism = box((0, eaves, 0), (wide + 0.09, 0.9, deep + 0.08), rounding=0.01)
    across, up = np.sin(pitch), np.cos(pitch)

    def slopes(points: np.ndarray) -> np.ndarray:  # negative above the roof
        return (wide + 0.09 - np.abs(points[:, 0])) * across - (points[:, 1] - eaves) * up

    roof = without(prism, slopes, side(1, -1, -eaves))
    body.add(roof, colours[1], EDGE)
    body.mark(colours[2], on(roof), stripes((0, 0, 1), 0.16, 0.35), side(0, 1))
    stack = body.add(box((0.3 * wide, eaves + 0.35, -0.2), (0.08, 0.28, 0.08)), colours[3], EDGE)
    body.mark(WHITE, on(stack), stripes((0, 1, 0), 0.09, 0.25))
    step = body.add(box((-0.15, -0.8, deep + 0.12), (0.22, 0.1, 0.14)), colours[4], EDGE)
    body.mark(BLACK, on(step), stripes((1, 0, 0), 0.1))
    body.mark(colours[5], on(walls), box((-0.15, -0.5, deep), (0.11, 0.25, 0.1)))
    body.mark(np.array([0.6, 0.75, 0.85]), on(walls), box((0.25, middle, deep), (0.1, 0.12, 0.1)))
    body.mark(np.array([0.6, 0.75, 0.85]), on(walls), box((wide, middle, 0), (0.1, 0.1, 0.25)))
    body.mark(WHITE, on(walls), ellipsoid((0.1, middle, -deep), (0.25, 0.2, 0.1)))
    body.mark(colours[2], on(walls), side(0, -1, wide - 0.05), stripes((0, 1, 0.5), 0.15))


def engine(body: Body, colours: np.ndarray) -> None:
    """A steam engine that faces the front: boiler, cab, funnel and wheels."""
    long, thick, low = body.between(0.75, 0.85), body.between(0.2, 0.26), -0.45
    frame = body.add(box((0, low, 0), (0.3, 0.07, long)), colours[0])
    place = low + 0.05 + thick
    boiler = body.add(cylinder((0, place, 0.2), thick, long - 0.25, FACING), colours[1], EDGE)
    body.mark(colours[5], on(boiler), stripes((0, 0, 1), 0.24, 0.2))
    for x in (-0.4, 0.4):
        body.mark(WHITE, ellipsoid((x * thick, place + 0.06, long), (0.05, 0.06, 0.1)))
        body.mark(BLACK, ellipsoid((x * thick + 0.01, place + 0.06, long), (0.025, 0.03, 0.1)))
    body.mark(RED, ellipsoid((0, place - 0.09, long), (0.11, 0.03, 0.1)))
    cab = box((0, low + 0.38, 0.28 - long), (0.3, 0.4, 0.26))
    hole = box((0, low + 0.5, 0.28 - long), (1, 0.13, 0.14))
    body.add(without(cab, hole), colours[2], EDGE)
    body.add(box((0, low + 0.8, 0.28 - long), (0.36, 0.04, 0.33)), colours[3], EDGE)
    body.mark(WHITE, on(cab), side(2, -1, long - 0.05), stripes((1, 1, 0), 0.16, 0.4))
    body.mark(colours[4], on(cab), side(0, 1, 0.28), stripes((0, 1, 0), 0.12, 0.4))
    tall = body.between(0.15, 0.25)
    body.add(cylinder((0, place + thick + tall - 0.04, 0.65 * long), 0.08, tall), colours[0], EDGE)
    body.add(cylinder((0, place + thick + 2 * tall, 0.65 * long), 0.13, 0.06), RED, EDGE)
    body.add(ellipsoid((0.03, place + thick, 0.1), (0.1, 0.12, 0.1)), colours[4], EDGE)
    for x in (-1, 1):
        for z in np.linspace(-0.7, 0.7, int(3 + (x > 0))):
            axle = (0.32 * x, low - 0.12, z * long)
            wheel = body.add(cylinder(axle, 0.17, 0.06, LYING), BLACK, EDGE)
            body.mark(colours[5], on(wheel), cylinder(axle, 0.07, 0.3, LYING))
    body.mark(RED, on(frame), side(2, 1, long - 0.03), stripes((1, 0, 0), 0.12))


def tower(random: np.random.Generator, around: int = 240) -> Mesh:
    """Prisms over star-shaped plans, one on another, each smaller than the one below and turned: exact edges."""
    angle = 2 * np.pi * np.arange(around) / around
    size, level, rings = random.uniform(0.55, 0.7), -0.9, []
    for _ in range(int(random.integers(4, 6))):
        count, twist = int(random.choice([3, 4, 5, 6, 8])), random.uniform(0, 2 * np.pi)
        inner = np.cos(np.pi / count)
        plan = inner / np.cos((angle - twist) % (2 * np.pi / count) - np.pi / count)  # a polygon in the unit circle
        if random.uniform() < 0.4:
            plan = np.where(np.floor((angle - twist) / (np.pi / count)) % 2 == 0, 1.0, 0.75)  # a cogwheel
        height = random.uniform(0.25, 0.5)
        for end, share in ((level, 1.0), (level + height, random.uniform(0.8, 1.0))):
            shape = size * share * plan
            rings.append(np.stack([shape * np.sin(angle), np.full(around, end), shape * np.cos(angle)], 1))
        level += height
        size = 0.8 * float(np.min(share * size * plan))
    return lofted(rings)


def lofted(rings: list[np.ndarray]) -> Mesh:
    """The closed surface through rings of as many points each, from below to above, counter-clockwise from above."""
    around, count = len(rings[0]), len(rings)
    row, column = (part.reshape(-1) for part in np.meshgrid(np.arange(count - 1), np.arange(around), indexing="ij"))
    ahead = (column + 1) % around
    a, b, c, d = row * around + column, row * around + ahead, (row + 1) * around + ahead, (row + 1) * around + column
    low, high, edge = count * around, count * around + 1, np.arange(around)
    last, turn = (count - 1) * around + edge, np.roll(edge, -1)
    faces = [
        np.stack([a, b, c], 1),
        np.stack([a, c, d], 1),
        np.stack([turn, edge, np.full(around, low)], 1),
        np.stack([last, np.roll(last, -1), np.full(around, high)], 1),
    ]
    points = np.concatenate([*rings, rings[0].mean(0, keepdims=True), rings[-1].mean(0, keepdims=True)])
    return Mesh(torch.from_numpy(points).float(), torch.from_numpy(np.concatenate(faces)).int())


KINDS = (chair, mug, car, house, engine)


def machine(seed: int, grid: int = GRID) -> Model:
    """A closed mesh and its paint; `grid` is the number of samples per axis of its field."""
    random = stream(f"machine:{seed}")
    body, colours, kind = Body(random), palette(random, 6), seed % 6
    if kind < len(KINDS):
        KINDS[kind](body, colours)
        return body.model(grid)
    mesh = tower(random)
    quarters: list[Mark] = [
        (side(2, 1), colours[0]),
        (side(2, -1), colours[1]),
        (side(0, 1), colours[2]),
        (side(0, -1), colours[3]),
    ]
    marks = [
        (stripes((0.3, 1, 0), 0.14, 0.3), colours[4]),
        (spots(random, 0.26, 0.08), colours[5]),
        (ellipsoid((0, -0.6, 0.6), (0.16, 0.16, 0.4)), WHITE),
    ]
    return Model(mesh, painted(quarters, marks, random))
