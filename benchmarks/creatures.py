"""Seeded figures with a face in front: people, beasts, boxy ones and busts, as generators of views are asked for.

creature:SEED is a figure, a beast, a boxy figure or a bust by SEED % 4; its proportions, what it wears and its colours
come from the seed. The face (eyes and mouth) looks along +Z, the back has marks of its own, left and right differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from paints import Mark, Model, both, painted, palette, side, spots, stream, stripes
from solids import Distance, blended, box, capsule, cylinder, ellipsoid, local, surface_of, turned, without

from meshopt.mesh import Mesh
from meshopt.topology import keep_components

GRID = 160  # samples per axis
WHITE, BLACK, RED = np.array([0.95, 0.95, 0.92]), np.array([0.06, 0.05, 0.08]), np.array([0.7, 0.12, 0.12])


@dataclass
class Body:
    """Solids that are joined one after the other, each over a band of its own, and what is painted on them."""

    random: np.random.Generator
    solids: list[tuple[Distance, float]] = field(default_factory=list)
    parts: list[Mark] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    bumps: Distance | None = None

    def add(self, solid: Distance, colour: np.ndarray, blend: float = 0.05) -> Distance:
        self.solids.append((solid, blend))
        self.parts.append((solid, colour))
        return solid

    def mark(self, colour: np.ndarray, *regions: Distance) -> None:
        self.marks.append((both(*regions), colour))

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Positive inside; flat below y = -0.9."""
        total = self.solids[0][0](points)
        for solid, blend in self.solids[1:]:
            total = blended(total, solid(points), blend)
        if self.bumps is not None:
            total = total + self.bumps(points)
        return blended(-total, points[:, 1] + 0.9, 0.02)

    def model(self, grid: int) -> Model:
        """The largest piece of its surface, painted; `grid` is the number of samples per axis of the field."""
        whole = surface_of(self.inside, grid)
        vertices, faces, _ = keep_components(whole.vertices, whole.faces)
        return Model(Mesh(vertices, faces), painted(self.parts, self.marks, self.random))


@dataclass(frozen=True)
class Head:
    centre: np.ndarray
    radii: np.ndarray
    turn: np.ndarray
    solid: Distance

    def spot(self, *place: float) -> np.ndarray:
        """A point of the scene at a place in units of the radii."""
        return self.centre + self.turn @ (self.radii * place)

    def near(self, slack: float = 0.02) -> Distance:
        return lambda points: self.solid(points) - slack

    def disc(self, x: float, y: float, width: float, height: float) -> Distance:
        """An ellipse on the face, in units of the radii."""

        def distance(points: np.ndarray) -> np.ndarray:
            place = local(points, self.centre, self.turn) / self.radii.astype(points.dtype)
            inside = ((place[:, 0] - x) / width) ** 2 + ((place[:, 1] - y) / height) ** 2 - 1
            return np.maximum(inside, -place[:, 2])

        return distance

    def behind(self, level: float, slope: float) -> Distance:
        """Where hair grows: the back and the top."""

        def distance(points: np.ndarray) -> np.ndarray:
            place = local(points, self.centre, self.turn) / self.radii.astype(points.dtype)
            return place[:, 2] - slope * place[:, 1] - level

        return distance


def on(solid: Distance, slack: float = 0.025) -> Distance:
    """The surface near a solid."""
    return lambda points: solid(points) - slack


def head(body: Body, centre: np.ndarray, radii: np.ndarray, colours: np.ndarray, boxy: bool = False) -> Head:
    """A head with hair, eyes, a mouth and a nose."""
    turn = turned(body.between(-0.12, 0.12), body.between(-0.2, 0.2), body.between(-0.1, 0.1))
    solid = box(centre, radii * 0.9, turn, 0.03) if boxy else ellipsoid(centre, radii, turn)
    body.add(solid, colours[0], 0.04)
    made = Head(centre, radii, turn, solid)
    body.mark(colours[1], made.near(), made.behind(body.between(-0.5, -0.2), body.between(0.2, 0.6)))
    eye, high = body.between(0.32, 0.42), body.between(0.1, 0.25)
    wide = body.between(0.15, 0.22)
    for sign in (-1, 1):
        body.mark(WHITE, made.near(), made.disc(sign * eye, high, wide, 1.2 * wide))
        body.mark(BLACK, made.near(), made.disc(sign * eye + 0.04, high, 0.5 * wide, 0.6 * wide))
    mouth, low = body.between(0.25, 0.45), body.between(-0.55, -0.45)
    body.mark(RED, made.near(), made.disc(0.05, low, mouth, 0.12))
    long = body.between(0.05, 0.14)
    start, end = made.spot(0, -0.1, 0.85), made.spot(0, -0.12, 0.95) + long * turn[:, 2]
    body.add(capsule(start, end, 0.05, 0.025), colours[2], 0.03)
    return made


def crown(body: Body, worn: Head, colours: np.ndarray, kind: int) -> None:
    """A hat, ears or horns."""
    if kind == 0:
        top, tall = worn.spot(0.05, 0.75, 0), body.between(0.06, 0.1)
        tilt = turned(body.between(-0.15, 0.1), 0, body.between(-0.2, 0.2))
        body.add(cylinder(top, 1.25 * worn.radii[0], 0.03, tilt), colours[0], 0.012)
        body.add(cylinder(top + tilt[:, 1] * tall, 0.8 * worn.radii[0], tall + 0.02, tilt), colours[1], 0.02)
    elif kind == 1:
        for sign, long in ((-1, body.between(0.12, 0.22)), (1, body.between(0.12, 0.22))):
            place = worn.spot(0.6 * sign, 0.9, -0.1)
            body.add(ellipsoid(place, (0.07, long, 0.04), turned(0, 0, -0.4 * sign)), colours[0], 0.03)
    else:
        for sign, long in ((-1, body.between(0.15, 0.3)), (1, body.between(0.1, 0.25))):
            end = worn.spot(0.9 * sign, 0.9, 0) + np.array([0.1 * sign, long, -0.05])
            body.add(capsule(worn.spot(0.5 * sign, 0.7, 0), end, 0.06, 0.02), colours[1], 0.03)


def limb(body: Body, joints: list[np.ndarray], radii: tuple[float, float], colour: np.ndarray) -> Distance:
    """A chain of capsules; gives the last."""
    steps = np.linspace(radii[0], radii[1], len(joints))
    for start, end, first, last in zip(joints, joints[1:], steps, steps[1:], strict=False):
        solid = body.add(capsule(start, end, first, last), colour, 0.04)
    return solid


def figure(body: Body, colours: np.ndarray, boxy: bool = False) -> None:
    """Two legs, two arms, of which one is up; perhaps a bag and a tail."""
    half = np.array([body.between(0.2, 0.3), body.between(0.28, 0.36), body.between(0.16, 0.24)])
    centre = np.array([0, -0.15, 0])
    torso = box(centre, half, turned(0, body.between(-0.2, 0.2), 0)) if boxy else ellipsoid(centre, half)
    body.add(torso, colours[0])
    for sign in (-1, 1):
        foot = np.array([sign * body.between(0.14, 0.22), -0.84, body.between(-0.1, 0.1)])
        limb(body, [np.array([sign * 0.12, -0.38, 0]), foot], (0.11, 0.075), colours[1])
        shoe = box if boxy else ellipsoid
        body.add(shoe(foot + np.array([0, 0, 0.07]), (0.09, 0.08, 0.16)), colours[2], 0.02)
    body.add(capsule((0, 0.05, 0), (0, 0.3, 0.03), 0.1), colours[3])
    place = np.array([body.between(-0.05, 0.05), 0.44, 0.05])
    worn = head(body, place, np.array([0.24, 0.23, 0.23]) * body.between(0.85, 1.15), colours[[3, 4, 3]], boxy)
    crown(body, worn, colours[[4, 5]], int(body.random.integers(3)))
    raised = int(body.random.choice([-1, 1]))
    for sign in (-1, 1):
        up = body.between(0.1, 0.3) if sign == raised else body.between(-0.35, -0.2)
        shoulder = np.array([sign * (half[0] - 0.04), 0.03, 0])
        elbow = shoulder + np.array([sign * body.between(0.15, 0.25), 0.4 * up, body.between(-0.08, 0.05)])
        hand = elbow + np.array([sign * body.between(0.0, 0.12), up, body.between(0.05, 0.2)])
        arm = limb(body, [shoulder, elbow, hand], (0.085, 0.06), colours[0])
        body.add(ellipsoid(hand, (0.08, 0.08, 0.08)), colours[3], 0.02)
        if sign == raised:
            body.mark(colours[5], on(arm), stripes((0.3, 1, 0.2), 0.09))
            stick = np.array([0.015, 0.28, 0.015])
            body.add(capsule(hand - stick, hand + stick, 0.025), colours[2], 0.01)
    body.mark(colours[4], on(torso), ellipsoid((0.03, -0.2, 0.3), (0.14, 0.2, 0.3)))
    body.mark(WHITE, on(torso), side(2, -1), stripes((1, 1, 0), 0.16, 0.35))
    if boxy or body.random.uniform() < 0.5:
        bag = body.add(box((0.05, -0.08, -half[2] - 0.04), (0.15, 0.18, 0.1)), colours[5], 0.015)
        body.mark(BLACK, on(bag), spots(body.random, 0.14, 0.04))
    else:
        tail = [np.array([0, -0.35, -0.1]), np.array([0.1, -0.5, -0.45]), np.array([0.3, -0.25, -0.6])]
        body.mark(WHITE, on(limb(body, tail, (0.08, 0.04), colours[0])), stripes((1, 0.3, 0.2), 0.08))


def beast(body: Body, colours: np.ndarray) -> None:
    """Four legs, a long body, a snout and a tail."""
    long, high = body.between(0.42, 0.55), body.between(-0.2, -0.05)
    torso = body.add(ellipsoid((0, high, -0.1), (0.26, 0.28, long), turned(-0.15)), colours[0])
    for sign in (-1, 1):
        for front in (-1, 1):
            hip = np.array([0.14 * sign, high - 0.05, -0.1 + 0.6 * long * front])
            foot = np.array([0.2 * sign, -0.85, hip[2] + body.between(-0.12, 0.15)])
            limb(body, [hip, foot], (0.12, 0.08), colours[0])
            body.add(ellipsoid(foot + np.array([0, -0.02, 0.04]), (0.1, 0.06, 0.13)), colours[1], 0.02)
    neck = np.array([body.between(-0.08, 0.08), body.between(0.3, 0.42), 0.36])
    limb(body, [np.array([0, high + 0.05, 0.2]), neck], (0.2, 0.14), colours[0])
    worn = head(body, neck, np.array([0.25, 0.23, 0.25]) * body.between(0.9, 1.15), colours[[2, 0, 1]])
    body.add(ellipsoid(worn.spot(0, -0.35, 0.9), (0.11, 0.08, 0.12), worn.turn), colours[3], 0.03)
    crown(body, worn, colours[[3, 4]], 1 + int(body.random.integers(2)))
    bend = body.between(-0.35, 0.35)
    tail = [np.array([0, high, -long]), np.array([bend, high + 0.25, -long - 0.25]), np.array([0, 0.45, -long - 0.2])]
    body.mark(WHITE, on(limb(body, tail, (0.07, 0.05), colours[0])), stripes((0, 1, 0.2), 0.1))
    body.mark(colours[4], on(torso), spots(body.random, 0.24, 0.085))
    body.mark(colours[5], on(torso), side(2, -1, 0.25), stripes((1, 0, 0), 0.12))
    for k in range(int(body.random.integers(0, 5))):  # spikes
        place = np.array([0, high + 0.2, 0.15 - 0.17 * k])
        body.add(capsule(place, place + np.array([0, 0.22, -0.06]), 0.07, 0.015), colours[5], 0.02)


def bust(body: Body, colours: np.ndarray) -> None:
    """A large head and shoulders on a block."""
    block = body.add(box((0, -0.72, 0), (body.between(0.35, 0.45), 0.2, 0.32), turned(0, 0.15)), colours[1])
    body.mark(colours[5], on(block, 0.01), stripes((1, 0, 0.2), 0.17), side(2, 1))
    body.mark(WHITE, on(block, 0.01), stripes((0, 1, 0), 0.11), side(2, -1))
    shoulders = ellipsoid((0, -0.38, 0), (body.between(0.45, 0.6), 0.25, 0.26), turned(0, 0, body.between(-0.1, 0.1)))
    chest = body.add(without(shoulders, box((0, -1.02, 0), (1, 0.45, 1))), colours[0], 0.015)
    body.mark(colours[4], on(chest), stripes((1, 0.6, 0), 0.14, 0.4))
    body.mark(colours[2], on(chest), ellipsoid((0.1, -0.35, -0.25), (0.2, 0.14, 0.2)))
    body.add(capsule((0, -0.3, 0), (0, 0.05, 0.04), 0.15), colours[3])
    place = np.array([body.between(-0.04, 0.04), 0.28, 0.05])
    radii = np.array([0.36, body.between(0.36, 0.44), 0.38])
    worn = head(body, place, radii, colours[[3, 4, 3]])
    crown(body, worn, colours[[2, 5]], int(body.random.integers(2)))
    bun = worn.spot(body.between(-0.4, 0.4), 0.2, -1)
    body.add(ellipsoid(bun, (0.16, 0.14, 0.12)), colours[5], 0.02)
    body.add(ellipsoid(worn.spot(0.97, -0.1, 0), (0.05, 0.12, 0.09)), colours[3], 0.02)
    body.add(ellipsoid(worn.spot(-0.97, -0.1, 0), (0.05, 0.1, 0.08)), colours[3], 0.02)


def creature(seed: int, grid: int = GRID) -> Model:
    """A closed mesh and its paint; `grid` is the number of samples per axis of its field."""
    random = stream(f"creature:{seed}")
    body, colours, kind = Body(random), palette(random, 6), seed % 4
    if kind == 1:
        beast(body, colours)
    elif kind == 3:
        bust(body, colours)
    else:
        figure(body, colours, boxy=kind == 2)
    if seed // 4 % 2:
        waves, height = random.uniform(35, 50), 0.006
        body.bumps = lambda points: height * np.sin(waves * points).prod(1)
    return body.model(grid)
