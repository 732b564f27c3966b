"""Random scenes in clip space for tests of rasterisers, and which faces a pixel may see in exact arithmetic.

A scene is made from a kind and a seed alone. Fast backends snap vertices to 1/256 pixel and keep depths as float32;
`Oracle` states in float64 what that permits: away from borders and from equal depths there is one answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import trimesh
from scipy.spatial import Delaunay

EPS = 2.0**-23  # float32's spacing at 1
BAND = 1 / 128  # pixels: snapping moves a vertex by 1/512 along each axis, so a border by less than half of this
KINDS = ["blob", "sheet", "soup", "slivers", "near", "huge", "tiny", "grid", "mixed"]
SIZES = [(24, 32), (33, 17), (1, 40), (37, 1), (7, 300), (20, 20), (70, 9)]


@dataclass(frozen=True)
class Scene:
    """Clip positions [V,N,4] float32, faces [F,3] int32, (rows, columns)."""

    clip: torch.Tensor
    faces: torch.Tensor
    size: tuple[int, int]

    def attributes(self, channels: int, views: int = 1) -> torch.Tensor:
        generator = torch.Generator().manual_seed(5)
        return torch.randn(views, self.clip.shape[1], channels, generator=generator)

    def generic(self) -> Scene:
        """Without what leaves the choice of silhouettes to rounding or to conventions.

        Faces without area or with a vertex that is not finite, the third and further ones at an edge, and equal depths.
        """
        corners = self.clip.double()[:, self.faces.long()]
        finite, corners = corners.isfinite().all(-1).all(-1), corners[..., [0, 1, 3]]
        area = torch.linalg.det(corners).abs() / corners.norm(dim=-1).prod(-1)
        kept, used = [], {}
        for face, solid in zip(self.faces.tolist(), ((area > 1e-9) & finite).all(0).tolist(), strict=True):
            edges = [frozenset((face[k - 1], face[k])) for k in range(3)]
            if solid and len(set(face)) == 3 and all(used.get(edge, 0) < 2 for edge in edges):
                kept.append(face)
                used.update({edge: used.get(edge, 0) + 1 for edge in edges})
        noise = 0.01 * torch.randn(self.clip.shape[:2], generator=torch.Generator().manual_seed(3))
        clip = torch.cat([self.clip[..., :2], self.clip[..., 2:3] + noise[..., None], self.clip[..., 3:]], -1)
        return replace(self, clip=clip, faces=torch.tensor(kept, dtype=torch.int32).reshape(-1, 3))


def scene(kind: str, seed: int, views: int = 1, size: tuple[int, int] | None = None) -> Scene:
    """A scene of that kind; further views see it turned, mirrored and shifted."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    size = size or SIZES[int(rng.integers(len(SIZES)))]
    clip, faces = MAKERS[kind](rng, size)
    turned = [clip, clip[:, [1, 0, 2, 3]] * [1, 1, -1, 1], clip * [-1, 1, 1, 1], clip + 0.1 * clip[:, [3, 3, 0, 0]]]
    positions = torch.tensor(np.stack([turned[k % 4] for k in range(views)]).astype(np.float32))
    return Scene(positions, torch.tensor(faces, dtype=torch.int32), size)


def project(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Clip positions of points about the origin, seen by a random camera with or without perspective."""
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    x, y, z = (points @ turn * rng.uniform(0.6, 1.3)).T
    if rng.random() < 0.5:
        return np.stack([x, y, 0.7 * z, np.ones_like(x)], 1)
    distance, near, far = rng.uniform(1.6, 4.0), 0.1, 8.0
    w = distance + z
    depth = ((far + near) * w - 2 * far * near) / (far - near)
    return np.stack([x * distance * 0.8, y * distance * 0.8, depth, w], 1)


def blob(rng, size):
    """Closed and lumpy, with folds, partly outside the image."""
    mesh = trimesh.creation.icosphere(int(rng.integers(1, 3)))
    radius = rng.uniform(0.35, 1.0, (len(mesh.vertices), 1))
    return project(mesh.vertices * radius + rng.uniform(-0.4, 0.4, 3), rng), mesh.faces


def sheet(rng, size):
    """Open, wavy, with holes; some faces turned over."""
    points = rng.uniform(-1, 1, (40, 2))
    faces = Delaunay(points).simplices
    faces = faces[rng.random(len(faces)) < 0.85]
    faces[::7] = faces[::7, ::-1]
    height = 0.4 * np.sin(3 * points[:, :1] + rng.uniform(0, 6)) + 0.1 * rng.normal(size=(40, 1))
    return project(np.concatenate([points, height], 1), rng), faces


def triangles(centres, spread, rng):
    """Corners [3F,4] about centres [F,3] (x/w, y/w, z/w), with random w, and their faces."""
    corners = centres[:, None] + rng.uniform(-1, 1, (len(centres), 3, 3)) * spread
    w = rng.uniform(0.3, 3, (len(centres), 3, 1))
    return (np.concatenate([corners, np.ones_like(w)], -1) * w).reshape(-1, 4), np.arange(3 * len(centres)).reshape(
        -1, 3
    )


def soup(rng, size):
    """Triangles that pass through each other."""
    count = int(rng.integers(1, 60))
    return triangles(rng.uniform([-1, -1, -0.9], [1, 1, 0.9], (count, 3)), rng.uniform(0.05, 0.8), rng)


def slivers(rng, size):
    """Thinner than a pixel, some thinner than what vertices are snapped to."""
    clip, faces = triangles(rng.uniform(-0.9, 0.9, (60, 3)), 0.5, rng)
    clip = clip.reshape(-1, 3, 4)
    width = 10.0 ** rng.uniform(-4, 0, (60, 1)) / max(size)
    clip[:, 1] = clip[:, 0] + width * rng.normal(size=(60, 4)) * [1, 1, 1, 0.1]
    return clip.reshape(-1, 4), faces


def near(rng, size):
    """Through the near, the far and the camera plane."""
    count = int(rng.integers(1, 30))
    clip = rng.uniform([-2, -2, -2, -1], [2, 2, 2, 2], (3 * count, 4))
    return clip, np.arange(3 * count).reshape(-1, 3)


def huge(rng, size):
    """Far beyond the image, some beyond any guard band; two share an edge."""
    count = int(rng.integers(2, 20))
    clip, faces = triangles(rng.uniform(-0.9, 0.9, (count, 3)), [1, 1, 0.0], rng)
    clip[:, :2] *= 10.0 ** rng.uniform(0, 5, (3 * count, 1))
    clip[:, 2] *= rng.uniform(-1, 1, 3 * count)
    faces[1, :2] = faces[0, 1::-1]
    return clip, faces


def tiny(rng, size):
    """Smaller than a pixel."""
    pixel = 2 / np.array([size[1], size[0], 20])
    return triangles(rng.uniform(-1, 1, (200, 3)), pixel * 10.0 ** rng.uniform(-1.5, 0.3), rng)


def grid(rng, size):
    """Corners on multiples of half a pixel, equal depths, the same triangle more than once."""
    count, (height, width) = 30, size
    columns, rows = rng.integers(-2, 2 * width + 3, 3 * count), rng.integers(-2, 2 * height + 3, 3 * count)
    depth = rng.integers(-2, 3, 3 * count) / 2
    depth[: 3 * count // 2] = 0.25
    clip = np.stack([columns / width - 1, rows / height - 1, depth, np.ones(3 * count)], 1)
    faces = rng.integers(0, 3 * count, (count, 3))
    return clip * rng.choice([0.5, 1, 2], (3 * count, 1)), np.concatenate([faces, faces[::2], faces[::3, ::-1]])


def mixed(rng, size):
    """All of these, and NaN, infinite, degenerate and repeated faces among them, in random order."""
    parts, count = [MAKERS[kind](rng, size) for kind in ("blob", "soup", "slivers", "near", "huge")], 0
    clips, faces = [], []
    for positions, corners in parts:
        chosen = corners[rng.random(len(corners)) < 0.5]
        clips, faces, count = [*clips, positions], [*faces, chosen + count], count + len(positions)
    clip, faces = np.concatenate(clips), np.concatenate(faces)
    bad = rng.choice(count, 6, replace=False)
    clip[bad, rng.integers(0, 4, 6)] = [np.nan, np.inf, -np.inf, np.nan, np.inf, 0.0]
    odd = rng.integers(0, count, (12, 3))
    odd[:6, 1] = odd[:6, 0]
    faces = np.concatenate([faces, faces[:5], odd])
    return clip, rng.permutation(faces)


MAKERS = {kind: globals()[kind] for kind in KINDS}


def padded(scene: Scene) -> Scene:
    """The same scene in an image twice as high and wide, the old one (of even size) in its middle."""
    height, width = scene.size
    assert height % 2 == width % 2 == 0
    return replace(scene, clip=scene.clip * torch.tensor([0.5, 0.5, 1, 1]), size=(2 * height, 2 * width))


def crop(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The middle [V,H,W,...] of an image that `padded` made."""
    height, width = size
    return image[:, height // 2 : height // 2 + height, width // 2 : width // 2 + width]


class Oracle:
    """Which faces every pixel of one view may see. `band` in pixels.

    `inside`, `maybe` [F,H,W]: surely covered, and possibly; `depth` its plane's z/w, and `slack` how much snapping and
    float32 may change that.
    """

    def __init__(self, clip: torch.Tensor, faces: torch.Tensor, size: tuple[int, int], band: float = BAND) -> None:
        self.faces, (height, width) = faces.long().numpy(), size
        corners = clip.detach().double().numpy()[self.faces]  # [F,3,4]
        self.drawable = np.isfinite(corners).all((1, 2))
        corners = np.where(self.drawable[:, None, None], corners, 0.0)
        v = corners[..., [0, 1, 3]]
        det = np.einsum("fi,fi->f", v[:, 0], np.cross(v[:, 1], v[:, 2]))
        self.drawable &= det != 0
        lines = np.sign(det)[:, None, None] * np.cross(v[:, [1, 2, 0]], v[:, [2, 0, 1]])
        y, x = ((2 * np.arange(n) + 1) / n - 1 for n in size)
        points = np.stack([*np.broadcast_arrays(x, y[:, None]), np.ones(size)])
        pixel = np.array([2 / width, 2 / height])
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.einsum("fki,ihw->fkhw", lines, points)
            distance = value / np.linalg.norm(lines[..., :2] * pixel, axis=-1)[..., None, None]
            distance = np.where(np.isnan(distance), 0.0, distance)
            plane = np.einsum("fki,fk->fi", lines, corners[..., 2]) / np.abs(det)[:, None]
            slope = np.linalg.norm(plane[:, :2] * pixel, axis=-1)
            ends = np.where(corners[..., 3] > 0, np.abs(corners[..., 2] / corners[..., 3]), 0.0).max(1)
            self.depth = np.einsum("fi,ihw->fhw", plane, points)
            self.slack = (2 * slope * band + 4 * EPS * (1 + ends + np.abs(plane).max(1)))[:, None, None]
        least = distance.min(1)
        usable = self.drawable[:, None, None]
        self.inside = usable & (least > band) & (np.abs(self.depth) <= 1 - self.slack)
        self.maybe = usable & (least > -band) & (np.abs(self.depth) <= 1 + self.slack)

    def allows(self, face: torch.Tensor) -> np.ndarray:
        """Where [H,W] a picture of visible faces is right."""
        seen, bound = face.long().numpy(), self._bound()
        if not len(self.faces):
            return seen == -1
        at = np.maximum(seen, 0)[None]
        near = np.take_along_axis(self.depth - self.slack, at, 0)[0] <= bound
        return np.where(seen < 0, bound == np.inf, np.take_along_axis(self.maybe, at, 0)[0] & near)

    def decided(self) -> np.ndarray:
        """Where [H,W] there is one answer."""
        bound = self._bound()
        count = (self.maybe & (self.depth - self.slack <= bound)).sum(0) if len(self.faces) else 0
        return count + (bound == np.inf) == 1

    def _bound(self) -> np.ndarray:
        """The depth at which every pixel is surely opaque."""
        if not len(self.faces):
            return np.full(self.depth.shape[1:], np.inf)
        return np.where(self.inside, self.depth + self.slack, np.inf).min(0)
