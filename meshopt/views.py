"""The views of one object: what every later stage works on, and how it is loaded from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.frames import resolve
from meshopt.io.camera_files import MAX_VIEWS
from meshopt.io.folders import NormalMaps
from meshopt.io.images import MAX_PIXELS
from meshopt.loading.extent import UNIT, scene_extent
from meshopt.loading.layouts import Layout, Slot, camera_in_square, find_layout
from meshopt.loading.pictures import Pictures
from meshopt.loading.preparation import Fitting, MaskOptions, Prepared, prepare, view_shapes
from meshopt.matting import MATTINGS, Matting
from meshopt.mesh import Mesh

MAX_RESOLUTION = 2048  # rows and columns of a view by default, where files have more
MAX_TOTAL_PIXELS = 32 * 1024 * 1024  # of all views together by default


@dataclass(frozen=True)
class Source:
    """Where one view came from: the files, and what was done to them on the way in."""

    name: str
    rgb: str | None = None
    normals: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ViewSet:
    """V posed views of one object in the scene frame, where the object fits the cube [-1, 1].

    `normals` are unit vectors in the WORLD frame, zero outside the mask, and zero inside it where they are not
    known: everywhere in views loaded from colour images alone. `masks` are coverage in [0, 1]; `rgb` is sRGB in
    [0, 1] where known. User units = scene points * `scale` + `offset`.
    """

    cameras: tuple[Camera, ...]
    normals: Float[Tensor, "V H W 3"]
    masks: Float[Tensor, "V H W"]
    rgb: Float[Tensor, "V H W 3"] | None = None
    scale: float = 1.0
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    sources: tuple[Source, ...] = ()
    rig: str = ""
    notes: tuple[str, ...] = field(default=())  # what was decided on the way in, one sentence each

    def __len__(self) -> int:
        return len(self.cameras)

    @property
    def resolution(self) -> tuple[int, int]:
        """Rows and columns of every view."""
        return self.masks.shape[1], self.masks.shape[2]

    @property
    def has_normals(self) -> bool:
        """Whether any normal is known."""
        return bool(self.normals.any())

    def require_normals(self, stage: str) -> None:
        """Raises InputError where an object is seen, but no normal of it is known, which `stage` needs."""
        if self.masks.any() and not self.has_normals:
            raise InputError(
                f"the views have no normals, which {stage} needs: give the folder of their normal maps with --normals, "
                "name them normals_*, or put them into normals/ beside rgb/."
            )

    def in_scene(self, mesh: Mesh) -> Mesh:
        """A mesh in the user's units, as the cameras see it."""
        offset = torch.tensor(self.offset).to(mesh.vertices)
        return replace(mesh, vertices=(mesh.vertices - offset) / self.scale)

    def in_world(self, mesh: Mesh) -> Mesh:
        """A mesh of the scene in the user's units and place."""
        return replace(mesh, vertices=mesh.vertices * self.scale + torch.tensor(self.offset).to(mesh.vertices))

    def weights(self, given: Mapping[str, float], setting: str) -> Float[Tensor, " V"]:
        """Each view's weight: what is given for its name, else 1. Raises InputError for names that no view has."""
        names = [camera.name for camera in self.cameras]
        unknown = sorted(set(given) - set(names))
        if unknown or not any(given.get(name, 1.0) for name in names):
            found = f"names {', '.join(unknown)}" if unknown else "leaves no view"
            raise InputError(f"{setting} {found}: expected some of {', '.join(names)}, not all 0.")
        return self.masks.new_tensor([given.get(name, 1.0) for name in names])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> ViewSet:
        """The same views on another device, and in another type of numbers if one is given."""
        rgb = None if self.rgb is None else self.rgb.to(device, dtype)
        return replace(self, normals=self.normals.to(device, dtype), masks=self.masks.to(device, dtype), rgb=rgb)


@dataclass(frozen=True)
class LoadOptions:
    """How images are read.

    `normal_frame` and `normal_axes` as in `meshopt.frames.resolve`. `matting`: 'auto' (per view: alpha, else
    the normal map's background, else the colour image's solid background), one of these alone ('alpha',
    'normals', 'background'), 'rembg' with `matting_model` (a model's name, or an ONNX file), or 'none' (every
    pixel counts). `resolution`: rows and columns of every view; by default the largest that the files have,
    up to 2048 and up to 32 million pixels in all views together. `max_pixels`: a larger image file is refused
    before it is decoded. `max_views`: a cameras file with more views is refused.
    """

    normal_frame: str = "auto"
    normal_axes: str = "auto"
    matting: str = "auto"
    matting_model: str | None = None
    resolution: int | None = None
    max_pixels: int = MAX_PIXELS
    max_views: int = MAX_VIEWS


def load_views(
    views: Path | str | None,
    normals: Path | str | None = None,
    rig: str | Path = "auto",
    *,
    options: LoadOptions = LoadOptions(),
    normal_maps: NormalMaps = "needed",
) -> ViewSet:
    """Reads the views of one object from folders of images, or from sheets that show all views.

    `views` holds the colour images (None: there are none), `normals` the normal maps (None: they lie in
    `views`, named normals_* or in a subfolder normals/). `rig` is a preset of `configs/rigs`, `turntable:N`,
    a cameras file (docs/cameras.md), or 'auto'. `normal_maps`: 'needed', 'optional' (where `normals` is not given
    and none lie in `views`, the views have no normals), or 'none' (none are looked for, whatever `normals` says).
    Raises InputError, one sentence, for whatever cannot be used.
    """
    mask_options = _checked(options)
    pictures = Pictures(options.max_pixels)
    layout = find_layout(_path(views), _path(normals), str(rig), pictures, normal_maps, options.max_views)
    shapes = [view_shapes(slot, pictures, pad=not layout.orbit) for slot in layout.slots]
    resolution = options.resolution or default_resolution(shapes)
    fittings = [Fitting(resolution, None if layout.orbit else shape[0]) for shape in shapes]
    prepared = [prepare(s, pictures, mask_options, f) for s, f in zip(layout.slots, fittings, strict=True)]
    cameras = tuple(_camera(s, f) for s, f in zip(layout.slots, fittings, strict=True))
    masks = np.stack([p.mask for p in prepared])
    extent = UNIT if layout.orbit else scene_extent(cameras, masks)  # first, as wrong cameras spoil the normals, too
    world, sentence = _world_normals(layout, prepared, masks, cameras, options)
    return ViewSet(
        cameras=extent.apply(cameras),
        normals=torch.from_numpy(world),
        masks=torch.from_numpy(masks),
        rgb=_stacked_colours(prepared),
        scale=extent.scale,
        offset=extent.offset,
        sources=tuple(_source(slot, p) for slot, p in zip(layout.slots, prepared, strict=True)),
        rig=layout.rig,
        notes=(
            *layout.notes,
            _size_note(shapes, resolution),
            *_mask_notes(prepared),
            sentence,
            *extent.notes,
        ),
    )


def _world_normals(
    layout: Layout,
    prepared: Sequence[Prepared],
    masks: np.ndarray,
    cameras: Sequence[Camera],
    options: LoadOptions,
) -> tuple[Float[np.ndarray, "V H W 3"], str]:
    """World normals, and how they were read; what the options leave open is as the cameras file states it, else
    found out.
    """
    vectors = np.stack([p.vectors for p in prepared])
    if all(slot.normals is None for slot in layout.slots):
        return vectors, "normals: none were given."
    found = resolve(
        vectors,
        masks,
        cameras,
        frame=layout.stated_frame or "auto" if options.normal_frame == "auto" else options.normal_frame,
        axes=layout.stated_axes or "auto" if options.normal_axes == "auto" else options.normal_axes,
        native=layout.native_frame,
    )
    return found.normals, found.sentence


def default_resolution(shapes: Sequence[Sequence[tuple[int, int]]]) -> int:
    """Rows and columns of every view: the largest side of the files of all views, within the documented
    limits.
    """
    largest = max(max(size) for view in shapes for size in view)
    return max(16, min(largest, MAX_RESOLUTION, int((MAX_TOTAL_PIXELS / len(shapes)) ** 0.5)))


def _camera(slot: Slot, fitting: Fitting) -> Camera:
    if fitting.padded is None:
        return slot.entry.camera
    height, width = fitting.padded
    return camera_in_square(slot.entry.camera_for(width, height), height, width)


def _path(place: Path | str | None) -> Path | None:
    return None if place is None else Path(place).expanduser()


def _checked(options: LoadOptions) -> MaskOptions:
    if options.matting not in MATTINGS:
        raise InputError(f"--matting {options.matting!r} is unknown: expected one of {', '.join(MATTINGS)}.")
    if options.resolution is not None and not 16 <= options.resolution <= 8192:
        raise InputError(f"--resolution {options.resolution} is out of range: expected 16 to 8192 pixels.")
    return MaskOptions(cast(Matting, options.matting), options.matting_model)


def _stacked_colours(prepared: Sequence[Prepared]) -> Tensor | None:
    colours = [p.rgb for p in prepared if p.rgb is not None]
    return torch.from_numpy(np.stack(colours)) if len(colours) == len(prepared) else None


def _source(slot: Slot, prepared: Prepared) -> Source:
    rgb = None if slot.rgb is None else slot.rgb.label
    normals = None if slot.normals is None else slot.normals.label
    return Source(slot.name, rgb, normals, (f"mask from {prepared.mask_from}.", *prepared.notes))


def _size_note(shapes: Sequence[Sequence[tuple[int, int]]], resolution: int) -> str:
    kinds = sorted({f"{width} x {height}" for view in shapes for height, width in view})
    found = ", ".join(kinds[:4]) + (", ..." if len(kinds) > 4 else "")
    same = kinds == [f"{resolution} x {resolution}"]
    return f"resolution: {found}" + ("." if same else f", resampled to {resolution} x {resolution}.")


def _mask_notes(prepared: Sequence[Prepared]) -> tuple[str, ...]:
    sources: dict[str, int] = {}
    for view in prepared:
        sources[view.mask_from] = sources.get(view.mask_from, 0) + 1
    words = [f"{source} ({count} of {len(prepared)} views)" for source, count in sources.items()]
    if len(words) == 1:
        words = [next(iter(sources))]
    return (f"masks: from {', '.join(words)}.",)
