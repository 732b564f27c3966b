"""nvdiffrast's functions on CPU tensors: `import meshopt.raster.nvdiffrast_api as dr` instead of `nvdiffrast.torch`.

Function and argument names, defaults, shapes and the layout of `rast` are those of nvdiffrast 0.3 and 0.4
(https://nvlabs.github.io/nvdiffrast); the code is ours. `rast` is (u, v, z/w, face + 1), float32; images
start at clip y = -w. Cube maps are not supported. Whatever cannot be done raises InputError or
NotImplementedError, with its name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from meshopt.errors import InputError
from meshopt.raster import derivatives
from meshopt.raster import texture as sampling
from meshopt.raster.cpu import CpuRasterizer
from meshopt.raster.protocol import Fragments

__all__ = [
    "DepthPeeler",
    "RasterizeCudaContext",
    "RasterizeGLContext",
    "antialias",
    "antialias_construct_topology_hash",
    "get_log_level",
    "interpolate",
    "rasterize",
    "set_log_level",
    "texture",
    "texture_construct_mip",
]

MOST_FACES = 2**24  # face + 1 is kept in a float32
LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)

logger = logging.getLogger(__name__)
logger.setLevel(logging.WARNING)
cpu = CpuRasterizer()


def get_log_level() -> int:
    """0 for info, 1 for warnings (the default), 2 for errors, 3 for fatal errors."""
    return LEVELS.index(logger.level)


def set_log_level(level: int) -> None:
    """Sets the level of this module's logger."""
    if level not in range(len(LEVELS)):
        raise InputError(f"the log level is {level!r}, but 0 (info), 1 (warning), 2 (error) or 3 (fatal) was expected")
    logger.setLevel(LEVELS[level])


class RasterizeCudaContext:
    """What `rasterize` asks for. Without state but for the depth peeler in progress; `device` is ignored."""

    def __init__(self, device: Any = None) -> None:
        self.active_depth_peeler: DepthPeeler | None = None


class RasterizeGLContext(RasterizeCudaContext):
    """The same. `output_db` and `mode` are ignored: derivatives are always computed."""

    def __init__(self, output_db: bool = True, mode: str = "automatic", device: Any = None) -> None:
        if mode not in ("automatic", "manual"):
            raise InputError(f"mode is {mode!r}, but 'automatic' or 'manual' was expected")
        super().__init__(device=device)

    def set_context(self) -> None:
        """Does nothing."""

    def release_context(self) -> None:
        """Does nothing."""


def rasterize(
    glctx: Any, pos: Tensor, tri: Tensor, resolution: Sequence[int], ranges: Tensor | None = None, grad_db: bool = True
) -> tuple[Tensor, Tensor]:
    """What each pixel sees: `rast` and `rast_db` = (du/dX, du/dY, dv/dX, dv/dY), both [V,H,W,4].

    `pos` [V,N,4] draws all of `tri` V times; `pos` [N,4] draws one image for each (start, count) of `ranges`.
    """
    if _context(glctx).active_depth_peeler is not None:
        raise RuntimeError("this context is peeling depth layers: call rasterize_next_layer(), or use another context")
    return _Scene(pos, tri, resolution, ranges, grad_db).layer(None)[:2]


class DepthPeeler:
    """`with DepthPeeler(...) as peeler`: one layer of surfaces after the other, each behind the one before."""

    def __init__(
        self,
        glctx: Any,
        pos: Tensor,
        tri: Tensor,
        resolution: Sequence[int],
        ranges: Tensor | None = None,
        grad_db: bool = True,
    ) -> None:
        self.raster_ctx: RasterizeCudaContext | None = _context(glctx)
        self.scene: _Scene | None = _Scene(pos, tri, resolution, ranges, grad_db)
        self.last: list[Fragments] | None = None

    def __enter__(self) -> DepthPeeler:
        if self.raster_ctx is None:
            raise RuntimeError("this depth peeler has ended: make a new one")
        if self.raster_ctx.active_depth_peeler is not None:
            raise RuntimeError("this context is peeling depth layers already: end that first, or use another context")
        self.raster_ctx.active_depth_peeler = self
        return self

    def __exit__(self, *args: object) -> None:
        if self.raster_ctx is not None:
            self.raster_ctx.active_depth_peeler = None
        self.raster_ctx = self.scene = self.last = None

    def rasterize_next_layer(self) -> tuple[Tensor, Tensor]:
        """As `rasterize`, of the surfaces behind all that were given before."""
        if self.scene is None or self.raster_ctx is None or self.raster_ctx.active_depth_peeler is not self:
            raise RuntimeError("rasterize_next_layer() works inside the depth peeler's `with` block only")
        rast, rast_db, self.last = self.scene.layer(self.last)
        return rast, rast_db


class _Scene:
    """The arguments of `rasterize`, checked, in parts: clip positions [V,N,4], faces, and how many come before."""

    def __init__(
        self, pos: Tensor, tri: Tensor, resolution: Sequence[int], ranges: Tensor | None, grad_db: bool
    ) -> None:
        _expect(pos=(pos, "V N 4" if getattr(pos, "ndim", 0) != 2 else "N 4"), tri=(tri, "F 3"))
        size = tuple(int(n) for n in resolution)
        if len(size) != 2 or min(size) < 1:
            raise InputError(f"resolution is {size}, but (height, width), both positive, was expected")
        self.size, self.grad_db = (size[0], size[1]), grad_db
        self.parts = [(pos, tri, 0)] if pos.ndim == 3 else list(_windows(pos, tri, ranges))

    def layer(self, behind: list[Fragments] | None) -> tuple[Tensor, Tensor, list[Fragments]]:
        """`rast`, `rast_db` and the fragments of each part, of the first layer or the one behind the given one."""
        rast, rast_db, layers = [], [], []
        for k, (clip, faces, before) in enumerate(self.parts):
            more = {} if behind is None else {"behind": behind[k]}
            fragments = cpu.rasterize(clip, faces, self.size, **more)
            number = torch.where(fragments.face >= 0, fragments.face + (before + 1), 0).float()
            depth = fragments.depth.clamp(-1, 1)
            rast.append(torch.cat([fragments.bary, depth[..., None], number[..., None]], -1))
            corners = clip if self.grad_db else clip.detach()
            rast_db.append(derivatives.bary_derivatives(corners, faces, fragments))
            layers.append(fragments)
        return torch.cat(rast), torch.cat(rast_db), layers


def _windows(pos: Tensor, tri: Tensor, ranges: Tensor | None) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Of each range the vertices [1,n,4] from the first to the last used, the faces of these, and its start."""
    if ranges is None:
        raise InputError("pos [vertices, 4] is range mode, which needs ranges [views, 2]: start and count of faces")
    _expect(ranges=(ranges, "V 2"))
    for start, count in ranges.tolist():
        if start < 0 or count < 0 or start + count > len(tri):
            raise InputError(f"ranges name faces {start} to {start + count}, but tri has {len(tri)}")
        faces = tri[start : start + count]
        first, last = (int(bound) for bound in torch.aminmax(faces)) if count else (0, -1)
        if first < 0 or last >= len(pos):
            raise InputError(f"tri indexes vertices {first} to {last}, but pos has {len(pos)} (from 0)")
        yield pos[None, first : last + 1], faces - first, start


def interpolate(
    attr: Tensor, rast: Tensor, tri: Tensor, rast_db: Tensor | None = None, diff_attrs: Any = None
) -> tuple[Tensor, Tensor]:
    """Attributes [V,H,W,C] and, of those in `diff_attrs` (indices or 'all'), (dA/dX, dA/dY) [V,H,W,2 * count].

    `attr` is [V,N,C], [1,N,C] for all views, or [N,C] in range mode; without `diff_attrs` the second is empty.
    """
    attr = attr[None] if isinstance(attr, Tensor) and attr.ndim == 2 else attr
    _expect(attr=(attr, "any N C"), rast=(rast, "V H W 4"), tri=(tri, "F 3"), rast_db=(rast_db, "V H W 4"))
    fragments = _fragments(rast, len(tri))
    out = cpu.interpolate(attr, fragments, tri)
    if diff_attrs is None or len(diff_attrs) == 0:
        return out, out.new_empty((*out.shape[:3], 0))
    if rast_db is None:
        raise InputError("diff_attrs needs rast_db, the second output of rasterize, but none was given")
    if isinstance(diff_attrs, str) and diff_attrs == "all":
        return out, derivatives.interpolate_derivatives(attr, rast_db, fragments, tri)
    chosen = [] if isinstance(diff_attrs, str) else [int(k) for k in diff_attrs]
    if not chosen or not all(-attr.shape[2] <= k < attr.shape[2] for k in chosen):
        raise InputError(f"diff_attrs is {diff_attrs!r}, but 'all' or indices below {attr.shape[2]} were expected")
    return out, derivatives.interpolate_derivatives(attr[..., chosen], rast_db, fragments, tri)


def texture(
    tex: Tensor,
    uv: Tensor,
    uv_da: Tensor | None = None,
    mip_level_bias: Tensor | None = None,
    mip: Any = None,  # what texture_construct_mip gives, or a list of tensors
    filter_mode: str = "auto",
    boundary_mode: str = "wrap",
    max_mip_level: int | None = None,
) -> Tensor:
    """Samples [V,H,W,C] of `tex` [V or 1, h, w, C] at `uv` [V,H,W,2]: see `meshopt.raster.texture.texture`.

    `auto` is linear-mipmap-linear where `uv_da` or `mip_level_bias` is given, else linear.
    """
    if boundary_mode == "cube":
        raise NotImplementedError("boundary_mode 'cube' (cube maps) is not supported by meshopt.raster.nvdiffrast_api")
    _expect(tex=(tex, "any h w C"), uv=(uv, "V H W 2"))
    _expect(uv=(uv, "V H W 2"), uv_da=(uv_da, "V H W 4"), mip_level_bias=(mip_level_bias, "V H W"))
    if filter_mode == "auto":
        filter_mode = "linear" if uv_da is None and mip_level_bias is None else "linear-mipmap-linear"
    if max_mip_level == 0 and filter_mode.startswith("linear"):
        filter_mode = "linear"
    if "mipmap" not in filter_mode:
        levels = [tex]
    elif mip is None:
        levels = sampling.mip_stack(tex, max_mip_level)
    elif isinstance(mip, list) and all(isinstance(level, Tensor) for level in mip):
        _expect(**{f"mip[{k}]": (level, "any any any C") for k, level in enumerate(mip)})
        levels = [tex, *mip]
    elif isinstance(mip, sampling.ConstantMip):
        levels = mip.stack(tex)
    else:
        raise InputError("mip is neither what texture_construct_mip gives nor a list of tensors")
    return sampling.texture(levels, uv, uv_da, mip_level_bias, filter_mode, boundary_mode)


def texture_construct_mip(
    tex: Tensor, max_mip_level: int | None = None, cube_mode: bool = False
) -> sampling.ConstantMip:
    """The mip levels of a constant texture, for `texture(mip=...)`."""
    if cube_mode:
        raise NotImplementedError("cube_mode (cube maps) is not supported by meshopt.raster.nvdiffrast_api")
    _expect(tex=(tex, "any h w C"))
    return sampling.ConstantMip(tex, max_mip_level)


class _TopologyHash:
    """Stands for nvdiffrast's table of edges; neighbours are found anew in each call."""


def antialias(
    color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor, topology_hash: Any = None, pos_gradient_boost: float = 1.0
) -> Tensor:
    """`color` [V,H,W,C] blended across silhouette edges, with gradients to `color` and, boosted, `pos`."""
    where = "V N 4" if getattr(pos, "ndim", 0) != 2 else "N 4"
    _expect(rast=(rast, "V H W 4"), color=(color, "V H W C"), pos=(pos, where), tri=(tri, "F 3"))
    if topology_hash is not None and not isinstance(topology_hash, _TopologyHash):
        raise InputError("topology_hash is not what antialias_construct_topology_hash gives")
    clip = pos.expand(len(rast), *pos.shape[-2:])
    if pos_gradient_boost != 1.0 and clip.requires_grad:
        clip.register_hook(lambda gradient: gradient * pos_gradient_boost)
    return cpu.antialias(color, _fragments(rast, len(tri)), clip, tri)


def antialias_construct_topology_hash(tri: Tensor) -> _TopologyHash:
    """An object for `antialias(topology_hash=...)`."""
    _expect(tri=(tri, "F 3"))
    return _TopologyHash()


def _context(glctx: object) -> RasterizeCudaContext:
    """The context, if it is one."""
    if not isinstance(glctx, RasterizeCudaContext):
        raise InputError(f"glctx is a {type(glctx).__name__}, but a RasterizeCudaContext was expected")
    return glctx


def _expect(**given: tuple[Any, str]) -> None:
    """CPU tensors (or None) whose axes are as laid out: numbers are sizes, equal names (but `any`) equal sizes."""
    sizes: dict[str, int] = {}
    for name, (tensor, layout) in given.items():
        if tensor is None:
            continue
        if not isinstance(tensor, Tensor):
            raise InputError(f"{name} is a {type(tensor).__name__}, but a tensor was expected")
        if tensor.device.type != "cpu":
            raise InputError(
                f"{name} is on {tensor.device.type}, but meshopt.raster.nvdiffrast_api works on CPU tensors: "
                "for others use nvdiffrast itself (import nvdiffrast.torch)"
            )
        axes = layout.split()
        known = {axis: int(axis) for axis in axes if axis.isdigit()} | sizes
        if tensor.ndim != len(axes) or any(known.get(a, n) != n for a, n in zip(axes, tensor.shape, strict=True)):
            expected = ", ".join(f"{a} = {known[a]}" if a in sizes else a for a in axes)
            raise InputError(f"{name} has shape {tuple(tensor.shape)}, but [{expected}] was expected")
        if name == "tri" and (tensor.is_floating_point() or len(tensor) > MOST_FACES):
            found = f"{len(tensor)} faces of {tensor.dtype}"
            raise InputError(f"tri holds {found}, but at most 2**24 (rast numbers them) of torch.int32 were expected")
        sizes |= {a: n for a, n in zip(axes, tensor.shape, strict=True) if a.isalpha() and a != "any"}


def _fragments(rast: Tensor, faces: int) -> Fragments:
    """Unpacks `rast`; faces that do not exist count as none. `bary` keeps its gradient."""
    number = rast[..., 3].detach()
    face = torch.where((number >= 1) & (number <= faces), number - 1, -1.0).int()
    return Fragments(face, rast[..., :2].float(), rast[..., 2].detach().float())
