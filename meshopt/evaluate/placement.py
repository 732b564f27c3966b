"""Damage to where things are: pictures scaled, shifted, mirrored, exchanged, under other cameras."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from meshopt.evaluate.pictures import Change, Changes, Picture, Task, moved

SHIFT_PER_ZOOM = 1.5  # pixels of 512 by which `misplaced` shifts for each percent of its zoom: 6 at 4 %


def zoom(task: Task) -> Changes:
    """One view scaled about the image's centre, up or down."""
    factor = _zoom_factor(task.strength, task.random)
    return {task.chosen: Change(moved(task.picture, factor, (0.0, 0.0)), {"zoom": factor})}


def shift(task: Task) -> Changes:
    """One view shifted in a random direction."""
    picture = task.picture
    by = _shift_by(task.strength / 100 * picture.side, task.random)
    return {task.chosen: Change(moved(picture, 1.0, by), {"shift": list(by)})}


def misplaced(task: Task) -> Changes:
    """Every view but the first scaled up or down and shifted in a random direction."""
    changes = {}
    for i, picture in enumerate(task.pictures[1:], 1):
        factor = _zoom_factor(task.strength, task.random)
        by = _shift_by(SHIFT_PER_ZOOM * task.strength * picture.pixel, task.random)
        changes[i] = Change(moved(picture, factor, by), {"zoom": factor, "shift": list(by)})
    return changes


def _zoom_factor(percent: float, random: np.random.Generator) -> float:
    return 1 + percent / 100 * (1 if random.random() < 0.5 else -1)


def _shift_by(pixels: float, random: np.random.Generator) -> tuple[float, float]:
    """A shift in pixels (right, down) of that length."""
    angle = random.uniform(0, 2 * math.pi)
    return pixels * math.cos(angle), pixels * math.sin(angle)


def mirrored(task: Task) -> Changes:
    """One view's picture as that of the mirrored object: left and right exchanged, in the normals, too."""
    return {task.chosen: Change(mirror_image(task.picture), {"mirrored": True})}


def mirror_image(picture: Picture) -> Picture:
    """The picture of the object mirrored in the camera's plane of x = 0."""
    flipped = replace(
        picture,
        normals=np.ascontiguousarray(picture.normals[:, ::-1]),
        mask=np.ascontiguousarray(picture.mask[:, ::-1]),
        rgb=None if picture.rgb is None else np.ascontiguousarray(picture.rgb[:, ::-1]),
    )
    return flipped.with_camera_normals(flipped.camera_normals * np.array([-1, 1, 1], np.float32))


def swapped(task: Task) -> Changes:
    """Two views' pictures exchanged, normals kept in the world: two files in the front frame."""
    one, two = _pair(task)
    a, b = task.pictures[one], task.pictures[two]
    return {
        one: Change(replace(b, camera=a.camera), {"picture_of": b.camera.name}),
        two: Change(replace(a, camera=b.camera), {"picture_of": a.camera.name}),
    }


def swapped_camera(task: Task) -> Changes:
    """Two views' pictures exchanged, normals kept in the cameras' frames: two files in the camera frame."""
    one, two = _pair(task)
    return _permuted(task, {one: two, two: one})


def order(task: Task) -> Changes:
    """Each view gets the picture of the view after it, normals kept in the cameras' frames."""
    count = len(task.pictures)
    return _permuted(task, {i: (i + 1) % count for i in range(count)})


def _pair(task: Task) -> tuple[int, int]:
    """The chosen view and another one, which is the first only where there is no third."""
    others = [i for i in range(1, len(task.pictures)) if i != task.chosen] or [1 if task.chosen == 0 else 0]
    return task.chosen, others[task.random.integers(len(others))]


def _permuted(task: Task, taken_from: dict[int, int]) -> Changes:
    changes = {}
    for to, source in taken_from.items():
        donor, camera = task.pictures[source], task.pictures[to].camera
        changes[to] = Change(donor.seen_by(camera), {"picture_of": donor.camera.name})
    return changes


def elevation(task: Task) -> Changes:
    """All cameras lowered by `strength` degrees about the origin, the pictures kept, their normals in the
    cameras' frames: the pictures were made that much higher than is believed.
    """
    lowered: dict[str, object] = {"elevation_degrees": -task.strength}
    return {i: Change(p.seen_by(p.camera.raised(-task.strength)), lowered) for i, p in enumerate(task.pictures)}
