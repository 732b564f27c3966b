"""A mesh as cameras see it: colours, normals, coverage and depth, by many samples in every pixel.

Unlike `meshopt.raster` this makes pictures, not gradients: of any mesh, open or closed, in any scene's units, in memory
that does not grow with the number of samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int32
from torch import Tensor

from meshopt import parallel, raster, snapshot_kernels
from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.mesh import Mesh, Shading, face_cross, face_normals
from meshopt.raster.protocol import Fragments
from meshopt.shading import creased, shading, shading_normals

NORMALS = ("file", "smooth", "creased", "flat")
SIDES = ("both", "front")
SAMPLES = (1, 16)
BAND = 1 << 20  # samples that are held at once by each thread
GREY = 0.7  # sRGB of what has no colour


@dataclass(frozen=True)
class SnapshotOptions:
    """How pictures are taken.

    `samples`: rows and columns of samples in a pixel. `normals`: 'file' (the mesh's own `shading`; smooth without one),
    'smooth', 'creased' (smooth but for edges of more than 50 degrees) or 'flat'. `sides`: of a face 'both' are seen,
    with normals turned to the viewer on the back, or its 'front' alone. Raises InputError.
    """

    samples: int = 4
    normals: str = "file"
    sides: str = "both"

    def __post_init__(self) -> None:
        if not SAMPLES[0] <= self.samples <= SAMPLES[1]:
            raise InputError(f"--supersampling {self.samples} is out of range, expected {SAMPLES[0]} to {SAMPLES[1]}.")
        if self.normals not in NORMALS:
            raise InputError(f"--normals {self.normals!r} is unknown, expected file, smooth, creased or flat.")
        if self.sides not in SIDES:
            raise InputError(f"--sides {self.sides!r} is unknown, expected both or front.")


@dataclass(frozen=True)
class Snapshot:
    """What a camera sees.

    `alpha` is the share of a pixel that the mesh covers. `normals` are unit vectors in the world, `rgb` is sRGB in
    [0, 1], both means over the covered samples (straight alpha), 0 where there are none. `depth` is that of the pixel's
    centre along the view axis, in the scene's units, 0 where the centre sees nothing: no mean, so that no point lies
    between two surfaces.
    """

    rgb: Float32[Tensor, "H W 3"]
    normals: Float32[Tensor, "H W 3"]
    alpha: Float32[Tensor, "H W"]
    depth: Float32[Tensor, "H W"]


def snapshots(
    mesh: Mesh,
    cameras: Sequence[Camera],
    sizes: Sequence[tuple[int, int]],
    options: SnapshotOptions = SnapshotOptions(),
) -> Iterator[Snapshot]:
    """One by one what the cameras see, in images of `sizes` = (rows, columns). On the CPU.

    Colours are the texture's, else the vertices', else grey, without light. They are averaged as sRGB, like all colours
    in meshopt: the means of pictures and of views that are made smaller are then the same. A texture is looked up
    bilinearly at every sample.
    """
    subject = _subject(mesh, options.normals)
    for camera, size in zip(cameras, sizes, strict=True):
        yield _snapshot(subject, camera, size, options)


def snapshot(
    mesh: Mesh, camera: Camera, size: tuple[int, int], options: SnapshotOptions = SnapshotOptions()
) -> Snapshot:
    """What one camera sees; see `snapshots`."""
    return next(snapshots(mesh, [camera], [size], options))


@dataclass(frozen=True, eq=False)
class _Subject:
    """A mesh as the kernels take it, and the ball around it."""

    mesh: Mesh
    normals: Float32[np.ndarray, "K 3"]
    shading_faces: Int32[np.ndarray, "F 3"]
    colors: Float32[np.ndarray, "N 3"]
    middle: Float64[np.ndarray, "3"]
    radius: float


def _subject(mesh: Mesh, kind: str) -> _Subject:
    mesh = mesh.to("cpu")
    mesh = replace(mesh, vertices=mesh.vertices.detach())
    shaded = _shading(mesh, kind)
    points = mesh.vertices.double().numpy()
    middle = (points.min(0) + points.max(0)) / 2
    radius = max(float(np.linalg.norm(points - middle, axis=1).max()), 1e-30)
    colors = torch.full_like(mesh.vertices, GREY) if mesh.colors is None else mesh.colors.detach()
    return _Subject(mesh, _array(shaded.normals), shaded.faces.int().numpy(), _array(colors), middle, radius)


def _array(values: Tensor) -> Float32[np.ndarray, "N C"]:
    return np.ascontiguousarray(values.detach().numpy(), np.float32)


def _shading(mesh: Mesh, kind: str) -> Shading:
    if kind == "file":
        return shading(mesh)
    if kind == "smooth":
        return Shading(shading_normals(mesh.vertices, mesh.faces), mesh.faces)
    if kind == "creased":
        return creased(mesh.vertices, mesh.faces)
    rows = torch.arange(len(mesh.faces), dtype=torch.int32)
    return Shading(face_normals(mesh.vertices.double(), mesh.faces), rows[:, None].expand(-1, 3).contiguous())


@dataclass(frozen=True, eq=False)
class _Sight:
    """A subject before a camera: clip positions, faces (those not to be seen are without area), which are turned."""

    clip: Float64[np.ndarray, "N 4"]
    faces: Int32[Tensor, "F 3"]
    turned: Bool[np.ndarray, " F"]
    distance: Float32[Tensor, "1 N 1"]  # of vertices, along the view axis

    def fragments(self, rows: tuple[int, int], size: tuple[int, int], samples: int) -> Fragments:
        """The samples of the rows [top, bottom) of an image of `size` pixels."""
        (top, bottom), (height, width) = rows, size
        clip = self.clip.copy()  # the band is all there is
        clip[:, 1] = (clip[:, 1] - clip[:, 3] * ((top + bottom) / height - 1)) * (height / (bottom - top))
        fine = (samples * (bottom - top), samples * width)
        return raster.get("cpu").rasterize(torch.from_numpy(clip.astype(np.float32))[None], self.faces, fine)


def _sight(subject: _Subject, camera: Camera, sides: str) -> _Sight:
    mesh = subject.mesh
    points, faces = mesh.vertices.double(), mesh.faces.int()
    near = camera.transformed(1 / subject.radius, subject.middle)
    placed = np.append((points.numpy() - subject.middle) / subject.radius, np.ones((len(points), 1)), axis=1)
    towards = torch.from_numpy(camera.eye[:3] - camera.eye[3] * points[faces[:, 0].long()].numpy())
    turned = (face_cross(points, faces) * towards).sum(1) < 0
    if sides == "front":
        faces = torch.where(turned[:, None], faces.new_zeros(()), faces)
    distance = torch.from_numpy(camera.project(points.numpy())[1].astype(np.float32))
    return _Sight(placed @ near.clip_matrix(1.0 + 1e-3).T, faces, turned.numpy(), distance[None, :, None])


def _snapshot(subject: _Subject, camera: Camera, size: tuple[int, int], options: SnapshotOptions) -> Snapshot:
    sight = _sight(subject, camera, options.sides)
    height, width = size
    normals, rgb = np.zeros((2, height, width, 3), np.float32)
    count, depth = np.zeros((2, height, width), np.float32)

    def draw(top: int, bottom: int) -> None:
        samples = options.samples
        seen = sight.fragments((top, bottom), size, samples)
        face, bary, band = seen.face[0].numpy(), seen.bary[0].numpy(), slice(top, bottom)
        turned = subject.shading_faces, subject.normals, sight.turned
        snapshot_kernels.add_normals(face, bary, samples, *turned, normals[band], count[band])
        _add_colors(subject, face, bary, samples, rgb[band])
        middles = sight.fragments((top, bottom), size, 1)
        depth[band] = raster.get("cpu").interpolate(sight.distance, middles, sight.faces)[0, ..., 0].numpy()

    rows = max(1, BAND // (width * options.samples**2))
    parallel.run(draw, [(top, min(top + rows, height)) for top in range(0, height, rows)])
    rgb /= np.maximum(count, 1)[..., None]
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    count /= options.samples**2
    return Snapshot(*map(torch.from_numpy, (rgb, normals, count, depth)))


def _add_colors(
    subject: _Subject,
    face: Int32[np.ndarray, "h w"],
    bary: Float32[np.ndarray, "h w 2"],
    samples: int,
    total: Float32[np.ndarray, "H W 3"],
) -> None:
    texture = subject.mesh.texture
    if texture is None:
        snapshot_kernels.add_colors(face, bary, samples, subject.mesh.faces.int().numpy(), subject.colors, total)
    else:
        places = texture.faces.int().numpy(), _array(texture.uv)
        snapshot_kernels.add_texels(face, bary, samples, *places, texture.color.contiguous().numpy(), total)
