"""Painted meshes, views of them, and atlases that need no unwrapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import trimesh

from meshopt.cameras import Camera
from meshopt.colorspace import linear_to_srgb
from meshopt.mesh import Mesh, face_normals
from meshopt.raster import transform
from meshopt.raster.cpu import CpuRasterizer
from meshopt.texturing.atlas import Atlas
from meshopt.views import ViewSet

Paint = Callable[[np.ndarray], np.ndarray]
MAGENTA = (1.0, 0.0, 1.0)
OVERSAMPLED = 4
CORNERS = np.array([[0, 1], [1, 1], [0, 0]], np.float64)  # of half a cell: v goes down, so this is counter-clockwise


def to_mesh(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(torch.tensor(shape.vertices, dtype=torch.float32), torch.tensor(shape.faces, dtype=torch.int32))


def sphere(subdivisions: int = 2, radius: float = 0.8, centre: Sequence[float] = (0, 0, 0)) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    shape.vertices += np.asarray(centre)
    return to_mesh(shape)


def box(extents: Sequence[float] = (1, 1, 1), centre: Sequence[float] = (0, 0, 0)) -> Mesh:
    shape = trimesh.creation.box(extents=extents)
    shape.vertices += np.asarray(centre)
    return to_mesh(shape)


def torus() -> Mesh:
    return to_mesh(trimesh.creation.torus(0.55, 0.25, major_sections=24, minor_sections=12))


def joined(*meshes: Mesh) -> Mesh:
    start = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    faces = [mesh.faces + int(first) for mesh, first in zip(meshes, start, strict=True)]
    return Mesh(torch.cat([mesh.vertices for mesh in meshes]), torch.cat(faces))


def apart(mesh: Mesh) -> Mesh:
    """Every face with vertices of its own, and so with its own normal."""
    index = mesh.faces.reshape(-1)
    return Mesh(mesh.vertices[index.long()], torch.arange(len(index), dtype=torch.int32).reshape(-1, 3))


def face_atlas(mesh: Mesh, margin: float = 0.15, mirrored: bool = False) -> Atlas:
    """Every face a chart of its own, half of a square cell."""
    count = len(mesh.faces)
    side = int(np.ceil(np.sqrt(count)))
    cell = np.stack(np.divmod(np.arange(count), side)[::-1], axis=1)
    corners = CORNERS[[0, 2, 1]] if mirrored else CORNERS
    uv = (cell[:, None] + margin + (1 - 2 * margin) * corners) / side
    rows = torch.arange(3 * count, dtype=torch.int32).reshape(-1, 3)
    return Atlas(
        uv=torch.tensor(uv.reshape(-1, 2), dtype=torch.float32),
        faces=rows,
        vertices=mesh.faces.reshape(-1).clone(),
        chart=torch.arange(count, dtype=torch.int32),
        method="box",
    )


def side_atlas(mesh: Mesh, mirrored: bool = False) -> Atlas:
    """Six charts: faces of a convex mesh projected along the axis they look at most, from outside or from inside."""
    normals = face_normals(mesh.vertices, mesh.faces).numpy()
    axis = np.abs(normals).argmax(1)
    positive = np.take_along_axis(normals, axis[:, None], 1)[:, 0] > 0
    chart = 2 * axis + positive
    points, faces = mesh.vertices.numpy().astype(np.float64), mesh.faces.numpy()
    reach = np.abs(points).max()
    keys, rows = np.unique(chart[:, None] * len(points) + faces, return_inverse=True)
    of_chart, vertex = np.divmod(keys, len(points))
    flat = np.empty((len(keys), 2))
    for k in range(6):
        first, second = (k // 2 + 1) % 3, (k // 2 + 2) % 3  # right-handed with the axis
        turned = 1 if (k % 2 == 1) != mirrored else -1
        chosen = of_chart == k
        flat[chosen] = np.stack([turned * points[vertex[chosen], first], -points[vertex[chosen], second]], axis=1)
    cell = np.stack([of_chart % 3, of_chart // 3], axis=1)
    uv = (cell + 0.5 + 0.45 * flat / reach) / 3
    return Atlas(
        uv=torch.tensor(uv, dtype=torch.float32),
        faces=torch.tensor(rows.reshape(-1, 3), dtype=torch.int32),
        vertices=torch.tensor(vertex, dtype=torch.int32),
        chart=torch.tensor(chart, dtype=torch.int32),
        method="box",
    )


def depth_in_faces(atlas: Atlas, size: int) -> np.ndarray:
    """How many texels a texel's centre lies inside of the face that it is deepest in; negative outside of all."""
    row, column = np.mgrid[:size, :size] + 0.5
    depth = np.full((size, size), -np.inf)
    for corners in atlas.uv.double().numpy()[atlas.faces.numpy()] * size:
        a, b, c = corners
        turn = np.sign((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0])
        sides = [
            turn * ((q[0] - p[0]) * (row - p[1]) - (q[1] - p[1]) * (column - p[0])) / np.linalg.norm(q - p)
            for p, q in ((a, b), (b, c), (c, a))
        ]
        depth = np.maximum(depth, np.min(sides, axis=0))
    return depth


def ring(count: int = 4, elevation: float = 0.0, fov: float | None = None) -> tuple[Camera, ...]:
    """Cameras around the object, at equal angles; the first in front."""
    return tuple(Camera.orbit(f"view {k}", 360.0 * k / count, elevation, fov=fov) for k in range(count))


def smooth(points: np.ndarray) -> np.ndarray:
    """A colour of linear light that changes slowly over the surface."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([0.5 + 0.3 * np.sin(2 * x + 1), 0.4 + 0.25 * np.sin(2 * y + z), 0.5 + 0.3 * np.cos(2 * z - x)], -1)


def plain(color: Sequence[float]) -> Paint:
    return lambda points: np.broadcast_to(np.asarray(color, np.float64), points.shape)


def views(
    mesh: Mesh,
    cameras: Sequence[Camera],
    paint: Paint = smooth,
    resolution: tuple[int, int] = (96, 96),
    background: Sequence[float] = MAGENTA,
    exposure: Sequence[float] | None = None,
) -> ViewSet:
    """The painted mesh in linear light, 4 x 4 samples a pixel, blended into the background where it covers less."""
    gains = exposure if exposure is not None else [1.0] * len(cameras)
    shown = [_picture(mesh, camera, paint, resolution) for camera in cameras]
    rgb = [
        mask[..., None] * linear_to_srgb(np.clip(gain * color, 0, 1)) + (1 - mask[..., None]) * np.asarray(background)
        for (color, _, mask), gain in zip(shown, gains, strict=True)
    ]
    return ViewSet(
        cameras=tuple(cameras),
        normals=torch.tensor(np.stack([normal for _, normal, _ in shown]), dtype=torch.float32),
        masks=torch.tensor(np.stack([mask for _, _, mask in shown]), dtype=torch.float32),
        rgb=torch.tensor(np.stack(rgb), dtype=torch.float32),
    )


def _picture(
    mesh: Mesh, camera: Camera, paint: Paint, resolution: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = (OVERSAMPLED * n for n in resolution)
    matrix = torch.tensor(camera.clip_matrix(), dtype=torch.float32)
    backend = CpuRasterizer()
    fragments = backend.rasterize(transform(mesh.vertices, matrix[None]), mesh.faces, (rows, columns))
    points = backend.interpolate(mesh.vertices[None], fragments, mesh.faces)[0].numpy().astype(np.float64)
    face = fragments.face[0].numpy()
    hit = (face >= 0)[..., None]
    normals = face_normals(mesh.vertices, mesh.faces).numpy()[face]
    normals = (
        normals if len(mesh.faces) < 300 else points / np.maximum(np.linalg.norm(points, axis=-1), 1e-9)[..., None]
    )

    def mean(image: np.ndarray) -> np.ndarray:
        return image.reshape(resolution[0], OVERSAMPLED, resolution[1], OVERSAMPLED, -1).mean((1, 3))

    mask = mean(hit.astype(np.float64))
    color = mean(paint(points) * hit) / np.maximum(mask, 1e-9)
    normal = mean(normals * hit)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    return color, normal, mask[..., 0]
