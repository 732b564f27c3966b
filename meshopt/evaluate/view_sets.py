"""Views of a mesh, in the files that a generator would have written: ground truth to compare generated views with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from meshopt import __version__
from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.frames.encoding import check_frame
from meshopt.io.camera_files import MAX_VIEWS, read_cameras
from meshopt.io.files import check_folder, staged_folder
from meshopt.io.view_files import (
    BACKGROUNDS,
    LAYERS,
    Layer,
    ViewFiles,
    colour_image,
    encode_picture,
    files_of_cameras,
    files_of_rig,
    mask_image,
    normal_image,
    older_files,
    sheet_of,
)
from meshopt.mesh import Mesh
from meshopt.rigs import load_rig, presets
from meshopt.snapshots import Snapshot, SnapshotOptions, snapshots

FITS = ("none", "box", "sphere")
SIDE = 1.8  # scene units: the largest side of a mesh that is fitted by its box
RADIUS = 0.9  # scene units: of its ball about the middle of its box; the widest that every rig shows whole is 0.909
RESOLUTIONS = (16, 4096)
_BEYOND = 1e-4  # of half an image: so far over its edge a mesh may reach


@dataclass(frozen=True)
class RenderOptions:
    """What is written.

    `rig`: a rig's name or a cameras file of at most `max_views`. `resolution`: pixels along the longer side of a view.
    `names`: files as the 'rig' has them, or 'plain': one for each view, with its name. `frame` of the normals: by
    default the rig's own. `background` of colour images: 'alpha' (straight), 'white', 'grey' or 'black'. `fit`: the
    mesh moved and scaled to stand in the scene by its 'box' or its bounding 'sphere', or left as it is, 'none'. Raises
    InputError.
    """

    rig: str
    resolution: int = 512
    names: str = "rig"
    frame: str | None = None
    layers: tuple[str, ...] = ("rgb", "normals")
    background: str = "alpha"
    fit: str = "none"
    view: SnapshotOptions = field(default_factory=SnapshotOptions)
    max_views: int = MAX_VIEWS

    def __post_init__(self) -> None:
        words = [
            ("--names", self.names, ("rig", "plain")),
            ("--background", self.background, tuple(BACKGROUNDS)),
            ("--fit", self.fit, FITS),
            *(("--layers", layer, LAYERS) for layer in self.layers),
        ]
        for flag, found, known in words:
            if found not in known:
                expected = f"{', '.join(known[:-1])} or {known[-1]}"
                raise InputError(f"{flag} {found!r} is unknown, expected {expected}.")
        if not self.layers:
            raise InputError(f"--layers is empty, expected some of {', '.join(LAYERS)}.")
        if self.frame is not None:
            check_frame(self.frame)
        if not RESOLUTIONS[0] <= self.resolution <= RESOLUTIONS[1]:
            low, high = RESOLUTIONS
            raise InputError(f"--resolution {self.resolution} is out of range, expected {low} to {high}.")

    def files(self) -> ViewFiles:
        """The files of the set. Raises InputError for an unknown rig and for a cameras file that cannot be used."""
        frame, plain = None if self.frame is None else check_frame(self.frame), self.names == "plain"
        if self.rig.strip().lower() == "auto":
            known = ", ".join(presets())
            raise InputError(f"--rig auto tells a rig by its pictures: expected {known}, turntable:N or a .json file.")
        path = Path(self.rig).expanduser()
        if path.suffix.lower() == ".json" or path.is_file():
            return files_of_cameras(read_cameras(path, self.max_views), self.resolution, frame, plain)
        return files_of_rig(load_rig(self.rig), self.resolution, frame, plain)


@dataclass(frozen=True)
class RenderedViews:
    """What was written, and notes, one sentence each."""

    folder: Path
    paths: tuple[str, ...]
    files: ViewFiles
    notes: tuple[str, ...]


def check_render_folder(options: RenderOptions, folder: str | Path, overwrite: bool = False) -> None:
    """Raises InputError where `write_views` would refuse or fail at once; changes nothing."""
    if not str(folder).strip():
        raise InputError("--output is an empty text, expected a folder (. is the current one)")
    check_folder(Path(folder), options.files().paths(LAYERS), overwrite)


def write_views(
    mesh: Mesh,
    options: RenderOptions,
    folder: str | Path,
    overwrite: bool = False,
    on_view: Callable[[int, int], None] = lambda done, count: None,
) -> RenderedViews:
    """Writes the views of a mesh that stands in the scene (front +Z, up +Y; rigs expect it inside [-1, 1]).

    All files or none. One view at a time is in memory, with a sheet all of them. Raises InputError where the folder
    holds such files and `overwrite` is False, and where no view sees the mesh; OSError where the disk fails.
    """
    check_render_folder(options, folder, overwrite)
    files, folder = options.files(), Path(folder)
    layers = tuple(layer for layer in LAYERS if layer in options.layers)
    scale, offset = placing(mesh, options.fit)
    vertices = (mesh.vertices.detach().cpu().double() - torch.tensor(offset, dtype=torch.float64)) / scale
    placed = replace(mesh.to("cpu"), vertices=vertices)
    with staged_folder(folder, (*files.paths(LAYERS), *older_files(folder)), overwrite) as staging:
        writer = _Writer(staging, files, layers, BACKGROUNDS[options.background])
        for view, shot in enumerate(snapshots(placed, files.cameras, files.sizes, options.view)):
            writer.add(view, shot)
            on_view(view + 1, len(files.cameras))
        if not any(writer.seen):
            raise _unseen(placed, files)
        # a point of the mesh's file is scene * scale + offset
        mesh_entry = {"scale": scale, "offset": list(offset)}
        made = {"written_by": f"meshopt {__version__} render", "supersampling": options.view.samples}
        writer.finish(made | {"shading": options.view.normals, "mesh": mesh_entry})
    return RenderedViews(folder, files.paths(layers), files, _notes(placed, files, layers, writer.seen))


def placing(mesh: Mesh, fit: str) -> tuple[float, tuple[float, float, float]]:
    """Scale and offset by which a mesh's points are scene * scale + offset.

    With 'box' the largest side of its box becomes SIDE, with 'sphere' its radius RADIUS, the box's middle the origin.
    """
    if fit == "none":
        return 1.0, (0.0, 0.0, 0.0)
    points = mesh.vertices.detach().cpu().double()
    low, high = points.amin(0), points.amax(0)
    middle = (low + high) / 2
    size = (high - low).max() / SIDE if fit == "box" else (points - middle).norm(dim=1).max() / RADIUS
    x, y, z = (float(c) for c in middle)
    return max(float(size), 1e-30), (x, y, z)


@dataclass(eq=False)
class _Writer:
    """Puts pictures into a folder as they come; those of a sheet when all are there."""

    folder: Path
    files: ViewFiles
    layers: tuple[Layer, ...]
    background: int | None
    seen: list[bool] = field(default_factory=list)  # by view, whether it sees the mesh
    tiles: dict[Layer, list[np.ndarray]] = field(default_factory=dict)

    def add(self, view: int, shot: Snapshot) -> None:
        """The next view."""
        self.seen.append(bool(shot.alpha.any()))
        for layer in self.layers:
            picture = self._picture(view, shot, layer)
            if self.files.sheet is None:
                self._write(layer, view, picture)
            else:
                self.tiles.setdefault(layer, []).append(picture)

    def finish(self, more: Mapping[str, Any]) -> None:
        """The sheets, and the cameras file."""
        for layer, tiles in self.tiles.items():
            self._write(layer, 0, sheet_of(tiles, self.files))
        (self.folder / "cameras.json").write_bytes(self.files.cameras_file(self.layers, more))

    def _picture(self, view: int, shot: Snapshot, layer: Layer) -> np.ndarray:
        alpha = shot.alpha.numpy()
        if layer == "rgb":
            return colour_image(shot.rgb.numpy(), alpha, self.background)
        if layer == "normals":
            return normal_image(shot.normals.numpy(), alpha, self.files, view)
        return mask_image(alpha) if layer == "masks" else shot.depth.numpy()

    def _write(self, layer: Layer, view: int, picture: np.ndarray) -> None:
        path = self.folder / self.files.path(layer, view)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_picture(picture))


def _notes(mesh: Mesh, files: ViewFiles, layers: Sequence[Layer], seen: Sequence[bool]) -> tuple[str, ...]:
    notes = []
    if "rgb" in layers and mesh.texture is None and mesh.colors is None:
        notes.append("the mesh has no colours: they are grey in the pictures.")
    points = mesh.vertices.detach().cpu().double().numpy()
    names = [camera.name for camera in files.cameras]
    cut = [name for name, camera in zip(names, files.cameras, strict=True) if _reaches_beyond(points, camera)]
    unseen = [name for name, sees in zip(names, seen, strict=True) if not sees]
    if unseen:
        notes.append(f"the mesh is not seen by {_listed(unseen)}.")
    if cut:
        kind = "sphere" if any(camera.projection == "perspective" for camera in files.cameras) else "box"
        notes.append(f"the mesh reaches beyond the images of {_listed(cut)}: --fit {kind} makes it fit in.")
    return tuple(notes)


def _reaches_beyond(points: np.ndarray, camera: Camera) -> bool:
    uv, depth = camera.project(points)
    behind = camera.projection == "perspective" and bool((depth <= 0).any())
    return behind or bool((np.abs(uv) > 1 + _BEYOND).any())


def _unseen(mesh: Mesh, files: ViewFiles) -> InputError:
    low, high = mesh.vertices.amin(0).tolist(), mesh.vertices.amax(0).tolist()
    box = ", ".join(f"{axis} {a:.3g} to {b:.3g}" for axis, a, b in zip("xyz", low, high, strict=True))
    return InputError(
        f"no view of {files.source} sees the mesh, which spans {box}: expected it before the cameras, for rigs inside"
        " [-1, 1]; --fit box moves and scales it there."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
