"""The initial mesh: which kind, and the steps of making it. See docs/initial.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from meshopt import parallel
from meshopt.cameras import ONE_LINE, along_one_line
from meshopt.config import InitialConfig
from meshopt.errors import InputError
from meshopt.initial.carving import carved
from meshopt.initial.given import given_mesh
from meshopt.initial.grid import Field, smoothed, without_voids
from meshopt.initial.hull import Hull, visual_hull
from meshopt.initial.observation import Observation
from meshopt.initial.parts import needed_parts
from meshopt.initial.primitives import icosphere
from meshopt.initial.relief import between_planes, closed_behind, inflation
from meshopt.initial.silhouettes import Outline
from meshopt.mesh import Mesh
from meshopt.views import ViewSet

KINDS = ("auto", "carved", "hull", "normals", "sphere")
SAMPLES = 128  # along the scene
THIN = 2.5  # voxels
FINER = (
    (1.5, 0.05),
    (2.0, 0.03),
)  # how many times more samples where a larger share of a silhouette is thinner than that
PLAIN_RADIUS = 0.5  # scene units: the sphere, where there is no hull


@dataclass(frozen=True)
class InitialMesh:
    """A closed, 2-manifold mesh to start from, the kind that was made, and what was decided on the way."""

    mesh: Mesh
    kind: str
    notes: tuple[str, ...] = ()


def initial_mesh(views: ViewSet, settings: InitialConfig, given: Mesh | None = None) -> InitialMesh:
    """The initial mesh of `settings.method`, or the given mesh (scene frame), checked and repaired.

    On the device of the views. Raises InputError for an unknown method, masks that share no volume, and a given mesh
    that cannot be used.
    """
    device = views.masks.device
    if given is not None:
        mesh, notes = given_mesh(given, sizes(settings, ()).grid)
        return InitialMesh(mesh.to(device), "given", notes)
    kind = settings.method
    if kind not in KINDS:
        raise InputError(f"initial.method {kind!r} is unknown: expected one of {', '.join(KINDS)}, or a mesh file.")
    outlines = _outlines(views)
    size = sizes(settings, outlines)
    if kind == "auto":
        kind = "normals" if along_one_line([outline.camera.camera for outline in outlines]) else "carved"
    made = {"carved": _carved, "hull": _hull, "normals": _normals, "sphere": _sphere}[kind](
        views, outlines, settings, size
    )
    return InitialMesh(made.mesh.to(device), made.kind, made.notes)


@dataclass(frozen=True)
class Sizes:
    """How finely an object is looked at: voxels along the scene, pixels along the longer side of depth maps."""

    grid: int
    depth: int


def sizes(settings: InitialConfig, outlines: Sequence[Outline]) -> Sizes:
    """What the settings say; where they leave it open SAMPLES, and more where silhouettes have thin parts."""
    finer = 1.0
    for more, share in FINER:
        voxel = 2.0 / (SAMPLES * finer)
        if max((outline.thin_share(THIN * voxel) for outline in outlines), default=0.0) > share:
            finer = more
    samples = round(SAMPLES * finer)
    return Sizes(settings.grid or samples, settings.depth or samples)


def _outlines(views: ViewSet) -> list[Outline]:
    masks = views.masks.detach().cpu().float().numpy()
    for camera, mask in zip(views.cameras, masks, strict=True):
        if not (mask > 0.5).any():
            raise InputError(f"the mask of view {camera.name} is empty: check --matting, or leave the view out.")
    return parallel.run(Outline.of, [(i, c, m) for i, (c, m) in enumerate(zip(views.cameras, masks, strict=True))])


def _observations(views: ViewSet, outlines: Sequence[Outline], size: Sizes) -> list[Observation]:
    normals: Float32[np.ndarray, "V H W 3"] = views.normals.detach().cpu().float().numpy()
    return parallel.run(Observation.of, [(o, normals[o.number], size.depth) for o in outlines])


def _finished(
    field: Field, hull: Hull, kind: str, settings: InitialConfig, size: Sizes, notes: tuple[str, ...]
) -> InitialMesh:
    """The surface of a field, without voids and parts that no view needs, smoothed."""
    views = [outline.pixels(size.depth) for outline in hull.outlines]
    field, dropped = needed_parts(without_voids(field), views, seen_counts=kind != "hull")
    field = smoothed(field, settings.smoothing)
    if not field.inside.any():
        raise InputError(
            f"nothing is left of the initial mesh ({kind}): check --rig (the cameras) and --normal-frame, "
            "or use --init hull."
        )
    if dropped:
        notes = (*notes, f"loose parts that no view needs and that were left out: {dropped}.")
    return InitialMesh(field.mesh(), kind, (*hull.notes, *notes))


def _hull(views: ViewSet, outlines: Sequence[Outline], settings: InitialConfig, size: Sizes) -> InitialMesh:
    hull = visual_hull(outlines, size.grid)
    return _finished(hull.field, hull, "hull", settings, size, ())


def _carved(views: ViewSet, outlines: Sequence[Outline], settings: InitialConfig, size: Sizes) -> InitialMesh:
    hull = visual_hull(outlines, size.grid)
    found = carved(hull.field, _observations(views, hull.outlines, size), settings)
    return _finished(found.field, hull, "carved", settings, size, ())


def _normals(views: ViewSet, outlines: Sequence[Outline], settings: InitialConfig, size: Sizes) -> InitialMesh:
    """The relief of the first view and of the view from behind it, or of the first view alone with a smooth back."""
    front = outlines[0]
    facing = [float(front.camera.camera.rotation[2] @ o.camera.camera.rotation[2]) for o in outlines]
    behind = int(np.argmin(facing))
    used = [front, outlines[behind]] if facing[behind] < -ONE_LINE else [front]
    hull = visual_hull(used, size.grid)
    seen = _observations(views, hull.outlines, size)
    half = inflation(seen[0].camera, seen[0].mask)
    thickest = float(half.max())
    room = thickest if len(used) > 1 else 3 * thickest
    field = between_planes(hull.field, seen[0].camera, -thickest, room)
    found = carved(field, seen, settings)
    names = " and ".join(outline.name for outline in used)
    if len(used) == 1 and found.depths:
        return _finished(
            closed_behind(found.field, found.depths[0], half), hull, "normals", settings, size,
            (f"the front is the relief of view {names}; the back, which no view shows, is a smooth guess.",),
        )  # fmt: skip
    note = f"the reliefs of views {names}; how thick the object is was guessed from the silhouette."
    return _finished(found.field, hull, "normals", settings, size, (note,))


def _sphere(views: ViewSet, outlines: Sequence[Outline], settings: InitialConfig, size: Sizes) -> InitialMesh:
    """As large as the hull, and at its centre."""
    try:
        field = visual_hull(outlines, size.grid // 2).field
    except InputError:
        return InitialMesh(icosphere((0.0, 0.0, 0.0), PLAIN_RADIUS), "sphere", ("the masks share no volume.",))
    points = field.points(np.argwhere(field.inside))
    radius = (len(points) * field.spacing**3 * 3 / (4 * np.pi)) ** (1 / 3)
    x, y, z = (float(c) for c in points.mean(axis=0))
    return InitialMesh(icosphere((x, y, z), min(radius, 1.0)), "sphere")
