"""NVIDIA's nvdiffrast (0.3 and 0.4) under the protocol: CUDA, for research and evaluation only.

Source: Laine et al., Modular Primitives for High-Performance Differentiable Rendering, ACM TOG 39(6), 2020.
The package is imported, and a rasteriser context made, when first asked for.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import weakref
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshopt.errors import InputError
from meshopt.raster.checks import check_device, check_faces, check_views, index_bounds
from meshopt.raster.protocol import Fragments

HELP = (
    "`pip install git+https://github.com/NVlabs/nvdiffrast --no-build-isolation` installs it where torch is a CUDA"
    " build and the CUDA toolkit is there; its licence allows research and evaluation only, no commercial use"
)
MOST_FACES = 1 << 24  # face numbers travel as float32; also the package's own limit
WINDOW, TILE = 2048, 8  # pixels: before 0.3.3 an image was at most so large, and a multiple of so many
FREE_SIZE = (0, 3, 3)  # the first version without these limits


@dataclass(frozen=True)
class NvdiffrastFragments(Fragments):
    """Fragments whose `bary` and `depth` are views of the package's own image, kept so that it is never rebuilt.

    `dataclasses.replace` leaves it behind: what was replaced counts.
    """

    rast: Tensor | None = field(default=None, init=False, repr=False, compare=False)


@dataclass(frozen=True)
class _Topology:
    """What is worth keeping of a face tensor, as long as it is the same tensor, unchanged."""

    source: weakref.ref[Tensor]
    version: int
    triangles: Tensor
    bounds: tuple[int, int]
    edges: Any

    def fits(self, faces: Tensor) -> bool:
        return self.source() is faces and not faces.is_inference() and self.version == faces._version


class NvdiffrastRasterizer:
    """nvdiffrast's three operations. One context for each device; one face tensor's topology is kept."""

    name = "nvdiffrast"
    licence = "NVIDIA Source Code License (1-Way Commercial): research and evaluation only, no commercial use"
    devices: tuple[str, ...] = ("cuda",)
    rank = 30

    def __init__(self) -> None:
        self._topology: _Topology | None = None

    def unusable(self) -> str | None:
        """None if a context can be made on this machine, else why not and what mends it."""
        device = next((kind for kind in self.devices if _present(kind)), None)
        if device is None:
            return f"torch {torch.__version__} finds no CUDA device here; with one, {HELP}"
        if importlib.util.find_spec("nvdiffrast") is None:
            return f"nvdiffrast is not installed; {HELP}"
        try:
            found = _version()
            if found < (0, 3):
                return f"nvdiffrast {'.'.join(map(str, found))} is too old, 0.3 or later is expected; {HELP}"
            _context(torch.empty(0, device=device).device)  # 0.3 compiles itself here
        except Exception as error:  # compilers, drivers and extensions fail in many ways
            return f"nvdiffrast fails to start ({type(error).__name__}: {_first_line(error)}); {HELP}"
        return None

    def rasterize(
        self, clip: Float[Tensor, "V N 4"], faces: Int[Tensor, "F 3"], resolution: tuple[int, int]
    ) -> Fragments:
        """The nearest face at every pixel centre; `bary` carries gradients to x, y, w of `clip`."""
        topology = self._known(faces, clip)
        if not (clip.numel() and faces.numel() and min(resolution) > 0):
            return _nothing(clip, resolution)
        positions, triangles = _without_broken(clip.float().contiguous(), topology.triangles)
        windows = [(resolution, (0, 0))] if _version() >= FREE_SIZE else _windows(resolution)
        rast = _draw(positions, triangles, resolution, windows)
        fragments = NvdiffrastFragments(
            face=rast.detach()[..., 3].int() - 1, bary=rast[..., :2], depth=rast.detach()[..., 2]
        )
        object.__setattr__(fragments, "rast", rast)
        return fragments

    def interpolate(
        self, attributes: Float[Tensor, "#V N C"], fragments: Fragments, faces: Int[Tensor, "F 3"]
    ) -> Float[Tensor, "V H W C"]:
        """Vertex attributes at every pixel, 0 where nothing is; gradients to them and `fragments.bary`."""
        check_views(attributes, len(fragments.face))
        topology = self._known(faces, attributes)
        if not (attributes.numel() and faces.numel() and fragments.face.numel()):
            return _zeros((*fragments.face.shape, attributes.shape[2]), attributes)
        values = attributes.float().contiguous()
        image, _ = _library().interpolate(values, _image(fragments), topology.triangles)
        return image.to(attributes.dtype)

    def antialias(
        self,
        image: Float[Tensor, "V H W C"],
        fragments: Fragments,
        clip: Float[Tensor, "V N 4"],
        faces: Int[Tensor, "F 3"],
    ) -> Float[Tensor, "V H W C"]:
        """Blends pixels across silhouette edges; gradients to `image` and to x, y, w of `clip`."""
        topology = self._known(faces, clip)
        if not (image.numel() and clip.numel() and faces.numel()):
            return image + _zeros(image.shape, clip).to(image.dtype)
        positions, triangles = _without_broken(clip.float().contiguous(), topology.triangles)
        edges = topology.edges if triangles is topology.triangles else None
        color, rast = image.float().contiguous(), _image(fragments).detach()
        return _library().antialias(color, rast, positions, triangles, topology_hash=edges).to(image.dtype)

    def _known(self, faces: Int[Tensor, "F 3"], vertices: Float[Tensor, "V N C"]) -> _Topology:
        """The faces as the package wants them, checked; found out once for each tensor."""
        check_device(vertices, self.devices, self.name)
        topology = self._topology
        if topology is None or not topology.fits(faces):
            topology = self._topology = _examine(faces)
        check_faces(topology.bounds, vertices.shape[1])
        return topology


def _present(kind: str) -> bool:
    """Whether torch can use a device of that kind here."""
    return kind != "cuda" or (torch.cuda.is_available() and torch.version.cuda is not None)


def _library() -> ModuleType:
    return importlib.import_module("nvdiffrast.torch")


@functools.cache
def _version() -> tuple[int, ...]:
    """The package's version; what cannot be read counts as new."""
    stated = str(getattr(importlib.import_module("nvdiffrast"), "__version__", ""))
    return tuple(int(part) for part in re.findall(r"\d+", stated)[:3]) or (999,)


@functools.cache
def _context(device: torch.device) -> Any:
    """The rasteriser of that device: it holds buffers on it, so there is one."""
    return _library().RasterizeCudaContext(device=device)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]


def _examine(faces: Int[Tensor, "F 3"]) -> _Topology:
    if len(faces) > MOST_FACES:
        raise InputError(f"nvdiffrast draws at most {MOST_FACES} faces, but the mesh has {len(faces)}; use fewer faces")
    triangles = faces.int().contiguous()
    edges = _library().antialias_construct_topology_hash(triangles) if len(faces) else None
    version = 0 if faces.is_inference() else faces._version
    return _Topology(weakref.ref(faces), version, triangles, index_bounds(triangles), edges)


def _draw(
    positions: Float[Tensor, "V N 4"],
    triangles: Int[Tensor, "F 3"],
    resolution: tuple[int, int],
    windows: list[tuple[tuple[int, int], tuple[int, int]]],
) -> Float[Tensor, "V H W 4"]:
    """u, v, z/w and the face's number from 1 (0: nothing), drawn window by window."""
    context, rasterize = _context(positions.device), _library().rasterize
    if windows == [(resolution, (0, 0))]:
        return rasterize(context, positions, triangles, resolution, grad_db=False)[0]
    height, width = resolution
    rows: dict[int, list[Tensor]] = {}
    for (h, w), (top, left) in windows:
        x, y, z, d = positions.unbind(-1)
        x = x * (width / w) + d * ((width - 2 * left) / w - 1)
        y = y * (height / h) + d * ((height - 2 * top) / h - 1)
        drawn = rasterize(context, torch.stack([x, y, z, d], -1), triangles, (h, w), grad_db=False)[0]
        rows.setdefault(top, []).append(drawn[:, : height - top, : width - left])
    return torch.cat([torch.cat(row, 2) for row in rows.values()], 1).contiguous()


def _windows(resolution: tuple[int, int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Parts of the image, some reaching beyond it, that old versions can draw: (height, width), (top, left)."""
    height, width = resolution

    def fitted(length: int) -> int:
        return min(-(-length // TILE) * TILE, WINDOW)

    corners = [(top, left) for top in range(0, height, WINDOW) for left in range(0, width, WINDOW)]
    return [((fitted(height - top), fitted(width - left)), (top, left)) for top, left in corners]


def _without_broken(
    positions: Float[Tensor, "V N 4"], triangles: Int[Tensor, "F 3"]
) -> tuple[Float[Tensor, "V N 4"], Int[Tensor, "F 3"]]:
    """Faces with a vertex that is not finite in some view shrink to a point, and keep their numbers."""
    finite = positions.isfinite().all(-1).all(0)
    if bool(finite.all()):
        return positions, triangles
    whole = finite[triangles.long()].all(1, keepdim=True)
    return torch.where(finite[:, None], positions, 0.0), torch.where(whole, triangles, 0)


def _image(fragments: Fragments) -> Float[Tensor, "V H W 4"]:
    """The package's image: the one it made, or put together again from another's fragments."""
    rast = getattr(fragments, "rast", None)
    if isinstance(rast, Tensor):
        return rast
    rest = torch.stack([fragments.depth.detach().float(), (fragments.face + 1).float()], -1)
    return torch.cat([fragments.bary.float(), rest], -1)


def _nothing(clip: Float[Tensor, "V N 4"], resolution: tuple[int, int]) -> Fragments:
    shape = (len(clip), *resolution)
    face = torch.full(shape, -1, dtype=torch.int32, device=clip.device)
    return Fragments(face, _zeros((*shape, 2), clip).float(), torch.zeros(shape, device=clip.device))


def _zeros(shape: tuple[int, ...], source: Tensor) -> Tensor:
    """Zeros that depend on `source`, so that a gradient of 0 reaches it."""
    return torch.zeros(shape, dtype=source.dtype, device=source.device) + source.flatten()[:0].sum()
