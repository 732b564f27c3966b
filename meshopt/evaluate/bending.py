"""Damage to normals alone: turned, bent, with wrong signs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32

from meshopt.cameras import Camera
from meshopt.evaluate.blobs import blob, smooth_noise, softened
from meshopt.evaluate.pictures import Change, Changes, Picture, Task, crossed, random_direction
from meshopt.frames import front_view

NOISE_SIGMA = 0.04  # of the Gaussian that noise is filtered with, in shares of the image
PATCH_BORDER = 1.5  # pixels of 512: sigma of the patch's soft border
WAVES = 6  # of which a bending field is made


def turned(
    normals: Float[np.ndarray, "H W 3"], axis: Float[np.ndarray, "3"], degrees: float | Float[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W 3"]:
    """Normals rotated about `axis` by one angle or one angle per pixel (Rodrigues)."""
    n, k = normals.astype(np.float32), axis.astype(np.float32)
    angle = np.radians(np.asarray(degrees, np.float32))[..., None]
    sine, cosine = np.sin(angle), np.cos(angle)
    return n * cosine + crossed(k, n) * sine + k * (n @ k)[..., None] * (1 - cosine)


def rotate(task: Task) -> Changes:
    """One view's normals about a random axis."""
    return {task.chosen: _rotated(task.picture, task.strength, task.random)}


def rotate_all(task: Task) -> Changes:
    """Every view's normals but the first's, each about its own random axis."""
    later = enumerate(task.pictures[1:], 1)
    return {i: _rotated(picture, task.strength, task.random) for i, picture in later}


def _rotated(picture: Picture, degrees: float, random: np.random.Generator) -> Change:
    axis = random_direction(random)
    damaged = picture.with_normals(turned(picture.normals, axis, degrees))
    return Change(damaged, {"axis": axis.tolist(), "degrees": degrees})


def noise(task: Task) -> Changes:
    """Every view's normals bent by a smooth random field."""
    changes = {}
    for i, picture in enumerate(task.pictures):
        field = smooth_noise(task.random, picture.mask.shape, 3, NOISE_SIGMA)
        changes[i] = Change(_bent(picture, field, task.strength), {"rms_degrees": task.strength})
    return changes


def bend(task: Task) -> Changes:
    """One view's normals bent by waves of at most one period per image, without turning them on average."""
    picture = task.picture
    height, width = picture.mask.shape
    x = ((np.arange(width) + 0.5) / picture.side)[None, :, None]
    y = ((np.arange(height) + 0.5) / picture.side)[:, None, None]
    frequencies = task.random.uniform(-1, 1, (2, WAVES))
    frequencies /= np.maximum(1, np.hypot(*frequencies))
    phases = task.random.uniform(0, 2 * np.pi, WAVES)
    amplitudes = task.random.standard_normal((WAVES, 3))
    waves = np.cos(2 * np.pi * (x * frequencies[0] + y * frequencies[1]) + phases) @ amplitudes
    waves -= np.einsum("hw,hwi->i", picture.mask, waves) / max(float(picture.mask.sum()), 1e-6)
    bent = _bent(picture, waves.astype(np.float32), task.strength)
    return {task.chosen: Change(bent, {"rms_degrees": task.strength})}


def _bent(picture: Picture, field: Float32[np.ndarray, "H W 3"], rms: float) -> Picture:
    """The normals turned by the rotation vectors of `field`, scaled so that the angles' rms over the mask is
    `rms` degrees.

    What would turn a normal about itself is taken out of the field, so that its length is the angle.
    """
    n = picture.normals
    vectors = field - n * np.einsum("hwi,hwi->hw", field, n)[..., None]
    angles = np.sqrt(np.einsum("hwi,hwi->hw", vectors, vectors))
    mean = np.sqrt((picture.mask * angles**2).sum() / max(float(picture.mask.sum()), 1e-6))
    scaled = angles * np.float32(np.radians(rms) / max(float(mean), 1e-12))
    sides = crossed(vectors / np.maximum(angles, 1e-12)[..., None], n)
    return picture.with_normals(n * np.cos(scaled)[..., None] + sides * np.sin(scaled)[..., None])


def patch(task: Task) -> Changes:
    """A connected blob of one view's object: its normals turned together about a random axis across the view
    of them, so that they do change.
    """
    picture, random = task.picture, task.random
    solid = picture.solid
    places = np.argwhere(solid)
    if not len(places):
        return {task.chosen: Change(picture, {"area_percent": 0.0})}
    row, column = places[random.integers(len(places))]
    region = blob(random, solid, (int(row), int(column)), round(len(places) * task.area / 100))
    mean = picture.normals[region].sum(0)
    axis = np.cross(mean, random_direction(random))
    axis = axis / np.linalg.norm(axis)
    weight = softened(region, PATCH_BORDER * picture.pixel)
    damaged = turned(picture.normals, axis, task.strength * weight)
    parameters: dict[str, object] = {
        "axis": axis.tolist(),
        "degrees": task.strength,
        "area_percent": 100.0 * float(region.sum()) / len(places),
        "start": [int(row), int(column)],
    }
    return {task.chosen: Change(picture.with_normals(damaged), parameters)}


def flipped(task: Task) -> Changes:
    """One view's normals with the sign of x, of y, or of both inverted in the camera's frame."""
    signs = _signs(task.random, ((-1, 1, 1), (1, -1, 1), (-1, -1, 1)))
    return {task.chosen: _signed(task.picture, task.picture.camera, signs)}


def world_flipped(task: Task) -> Changes:
    """One view's normals with the sign of one axis inverted in the front camera's frame."""
    signs = _signs(task.random, ((-1, 1, 1), (1, -1, 1), (1, 1, -1)))
    cameras = [picture.camera for picture in task.pictures]
    return {task.chosen: _signed(task.picture, cameras[front_view(cameras)], signs)}


def _signs(random: np.random.Generator, choices: tuple[tuple[int, int, int], ...]) -> tuple[int, int, int]:
    return choices[random.integers(len(choices))]


def _signed(picture: Picture, frame: Camera, signs: tuple[int, int, int]) -> Change:
    """The normals with signs inverted along the axes of a camera."""
    local = replace(picture, camera=frame)
    damaged = local.with_camera_normals(local.camera_normals * np.array(signs, np.float32))
    return Change(replace(damaged, camera=picture.camera), {"signs": list(signs)})
