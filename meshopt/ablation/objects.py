"""Objects that an ablation reconstructs: views whose normals are taken for true, generated ones, the true mesh."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from meshopt.errors import InputError
from meshopt.evaluate.view_sets import RenderOptions, placing, write_views
from meshopt.io.files import read_json, write_file
from meshopt.io.limits import LIMITS, MeshLimits
from meshopt.io.mesh_parts import READABLE
from meshopt.io.meshes import load_mesh
from meshopt.mesh import Mesh
from meshopt.snapshots import snapshots
from meshopt.views import LoadOptions, ViewSet, load_views

GT_NORMALS, GT_MESH = "gt_normals", "gt_mesh"  # in an object's folder
RESOLUTION = 512  # pixels per side of rendered views


@dataclass(frozen=True, eq=False)
class Subject:
    """An object, loaded.

    `reference` has the normals and silhouettes that results are compared with, `generated` what a model made of the
    same cameras. `truth` is in the units of the views' cameras. `certain`: the reference is the ground truth, not
    merely what was given.
    """

    name: str
    reference: ViewSet
    generated: ViewSet | None = None
    truth: Mesh | None = None
    certain: bool = True

    def load(self) -> Subject:
        """Itself: an object in memory is a `Source`, too."""
        return self

    def fingerprint(self) -> str:
        """A hash of all that it holds."""
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogatepass"))
        for views in (self.reference, self.generated):
            if views is not None:
                _digest(digest, (views.normals, views.masks, views.rgb))
                digest.update(repr((views.cameras, views.scale, views.offset)).encode())
        if self.truth is not None:
            _digest(digest, (self.truth.vertices, self.truth.faces))
        return digest.hexdigest()


@runtime_checkable
class Source(Protocol):
    """Where an object comes from: small, for other processes."""

    @property
    def name(self) -> str: ...
    def load(self) -> Subject: ...


@dataclass(frozen=True)
class ViewFiles:
    """An object in image files, as `load_views` reads them.

    `gt_normals`: a folder or sheet; their silhouettes go with them. `gt_mesh`: a mesh file in the frame and units of
    the cameras, moved and scaled before by `placed` = (scale, offset): point = (file's - offset) / scale. Without
    `gt_normals` the ground truth is rendered from it; without both, what was given is the reference.
    """

    name: str
    views: str | None
    normals: str | None = None
    gt_normals: str | None = None
    gt_mesh: str | None = None
    rig: str = "auto"
    options: LoadOptions = field(default_factory=LoadOptions)
    placed: tuple[float, tuple[float, float, float]] = (1.0, (0.0, 0.0, 0.0))
    exact: bool = False
    """The views' own normals were rendered from `gt_mesh`: they are the ground truth."""
    notes: tuple[str, ...] = ()
    limits: MeshLimits = LIMITS

    def load(self) -> Subject:
        """Raises InputError for whatever cannot be read, and where true and given views do not match."""
        given = load_views(self.views, self.normals, self.rig, options=self.options)
        given.require_normals("an ablation")
        truth = None if self.gt_mesh is None else self._truth(self.gt_mesh)
        if self.exact or (truth is None and self.gt_normals is None):
            return Subject(self.name, given, None, truth, self.exact)
        if self.gt_normals is not None:
            return Subject(self.name, self._true_views(given, self.gt_normals), given, truth)
        assert truth is not None
        return Subject(self.name, rendered(given, truth), given, truth)

    def _truth(self, file: str) -> Mesh:
        scale, offset = self.placed
        mesh = load_mesh(Path(file).expanduser(), limits=self.limits)
        return replace(mesh, vertices=(mesh.vertices - torch.tensor(offset).to(mesh.vertices)) / scale)

    def _true_views(self, given: ViewSet, normals: str) -> ViewSet:
        options = replace(self.options, resolution=given.resolution[0])
        true = load_views(None, normals, self.rig, options=options)
        names, found = ([camera.name for camera in views.cameras] for views in (given, true))
        if names != found:
            raise InputError(
                f"--gt-normals {normals}: shows {', '.join(found)}, expected the same as --normals: {', '.join(names)}."
            )
        return replace(true, rgb=given.rgb)


def rendered(views: ViewSet, mesh: Mesh) -> ViewSet:
    """The views with normals and silhouettes of a mesh in the user's units. Raises InputError where none sees it."""
    shots = list(snapshots(views.in_scene(mesh), views.cameras, [views.resolution] * len(views)))
    masks = torch.stack([shot.alpha for shot in shots])
    if not masks.any():
        raise InputError(
            "--gt-mesh: no view sees the mesh: expected it as their cameras see it, front +Z, up +Y, in their units."
        )
    return replace(views, normals=torch.stack([shot.normals for shot in shots]), masks=masks)


@dataclass(frozen=True)
class ObjectOptions:
    """How objects are read: their rig ('auto' does for folders of views), how images are read, how meshes are moved
    and scaled before their views are rendered (`meshopt.evaluate.view_sets.FITS`), and how large these may be.
    """

    rig: str = "auto"
    reading: LoadOptions = field(default_factory=LoadOptions)
    fit: str = "none"
    limits: MeshLimits = LIMITS


def named_objects(
    paths: Iterable[str | Path], folder: str | Path, options: ObjectOptions | None = None
) -> list[ViewFiles]:
    """Objects by their paths: mesh files, whose views are rendered into `folder`/objects/NAME, and folders of views.

    A folder has views and normals as `load_views` finds them, and may have gt_normals/ and gt_mesh.glb (.obj, ...).
    Views that were rendered before stay where mesh and options are the same. Raises InputError.
    """
    options = options or ObjectOptions()
    found = []
    places = [Path(path).expanduser() for path in paths]
    for path, name in zip(places, _names(places), strict=True):
        if path.is_dir():
            found.append(_in_folder(path, name, options))
        elif path.is_file() and path.suffix.lower() in READABLE:
            found.append(_of_mesh(path, name, Path(folder) / "objects", options))
        else:
            what = "is no object" if path.exists() else "no such file or folder"
            kinds = ", ".join(READABLE)
            raise InputError(f"{path}: {what}, expected a mesh ({kinds}) or a folder with views and normals.")
    return found


def _in_folder(path: Path, name: str, options: ObjectOptions) -> ViewFiles:
    meshes = [path / f"{GT_MESH}{suffix}" for suffix in READABLE]
    mesh = next((str(file) for file in meshes if file.is_file()), None)
    normals = path / GT_NORMALS
    return ViewFiles(
        name,
        str(path),
        None,
        str(normals) if normals.is_dir() else None,
        mesh,
        options.rig,
        options.reading,
        limits=options.limits,
    )


def _of_mesh(path: Path, name: str, folder: Path, options: ObjectOptions) -> ViewFiles:
    if options.rig == "auto":
        raise InputError(f"{path}: is a mesh, whose views are to be rendered: expected --rig, as in --rig wonder3d.")
    mesh = load_mesh(path, textures=True, limits=options.limits)
    render = RenderOptions(
        options.rig, options.reading.resolution or RESOLUTION, fit=options.fit, max_views=options.reading.max_views
    )
    key = hashlib.sha256(f"{render}".encode() + path.read_bytes()).hexdigest()
    target, mark = folder / name, folder / name / "rendered.json"
    said = _said_by(mark)
    if said.get("key") != key:
        notes = [f"{name}: {note}" for note in write_views(mesh, render, target, overwrite=mark.is_file()).notes]
        said = {"mesh": str(path), "key": key, "notes": notes}
        write_file(mark, json.dumps(said).encode())
    rgb, normals = (str(target / layer) for layer in ("rgb", "normals"))
    return ViewFiles(
        name, rgb, normals, None, str(path), str(target / "cameras.json"), options.reading,
        placed=placing(mesh, options.fit), exact=True, notes=tuple(said["notes"]), limits=options.limits,
    )  # fmt: skip


def _said_by(mark: Path) -> dict[str, Any]:
    """What the file beside rendered views says of them; nothing where it cannot be read."""
    try:
        said = read_json(mark)
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) and isinstance(said.get("notes"), list) else {}


def _names(paths: list[Path]) -> list[str]:
    """Each path's last part without suffix; with the folder above where several are alike. Raises InputError."""
    names = [path.absolute().stem if path.is_file() else path.absolute().name for path in paths]
    if len(set(names)) < len(names):
        names = [f"{path.absolute().parent.name}_{name}" for path, name in zip(paths, names, strict=True)]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise InputError(f"two objects are called {double}: expected different names of files or folders.")
    return names


def loaded(source: Source) -> Subject:
    """The object; of files the last one stays in memory, as runs of one object follow each other."""
    return _read(source) if isinstance(source, ViewFiles) else source.load()


@lru_cache(maxsize=1)
def _read(files: ViewFiles) -> Subject:
    return files.load()


def _digest(digest: hashlib._Hash, tensors: Iterable[Tensor | None]) -> None:
    for tensor in tensors:
        if tensor is not None:
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
