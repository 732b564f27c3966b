"""A mesh and views in, the mesh with a texture out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from meshopt import hardware
from meshopt.config import TextureConfig
from meshopt.errors import InputError
from meshopt.mesh import Mesh, Texture
from meshopt.surroundings import shielded
from meshopt.texturing.atlas import Atlas, figures
from meshopt.texturing.baking import NOWHERE, Levels, bake, find_levels, linear_images, srgb_bytes
from meshopt.texturing.detail import onto
from meshopt.texturing.fitting import fitted
from meshopt.texturing.hinges import hinges
from meshopt.texturing.lattice import make_lattice
from meshopt.texturing.normal_maps import bake_normals
from meshopt.texturing.observation import Observer
from meshopt.texturing.pixels import nearest
from meshopt.texturing.texels import Texels
from meshopt.texturing.unwrapping import unwrap
from meshopt.views import ViewSet

STEP = 3.0  # pixels of the views: longest edges of the lattice
DOUBTFUL = 1.0  # score of a view, percent of the object's diagonal, from which on it counts half
FRONT = 15.0  # degrees: the view that is turned and raised the least, by less than that, is from the front
LITTLE = 0.1  # share of the surface: less is seen of no mesh that is right
GOOD_FIT = 0.93  # overlap of silhouettes below which colours are likely to lie beside where they belong
MOST_VIEWS = 254  # that the map of sources can tell apart
TEXEL_BYTES, PIXEL_BYTES, VIEW_BYTES = 60, 96, 4_000_000  # of memory, about; of a view beside its pixels
FULL = 0.999  # share of a view's pixels in its mask, from which on it has none to speak of


@dataclass(frozen=True)
class Textured:
    """A mesh with its texture, and where the texture comes from.

    `source`: 0 where there is no surface, 1 where no view sees it and the colour was filled in, 2 + k where it is
    mostly view k's. `confidence`: 0 not seen, 255 seen frontally and far from borders. `figures` is plain data
    (docs/report.md).
    """

    mesh: Mesh
    source: UInt8[Tensor, "T T"]
    confidence: UInt8[Tensor, "T T"]
    figures: dict[str, Any]
    notes: tuple[str, ...] = ()


def make_texture(
    mesh: Mesh,
    views: ViewSet,
    settings: TextureConfig | None = None,
    *,
    detail: Mesh | None = None,
    scores: Sequence[float] | None = None,
) -> Textured:
    """The mesh with an image of its colours, from the views, and with `settings.normals` a normal map.

    Mesh and views are in one scene frame. `detail` is a finer mesh of the same surface, whose points and normals are
    looked at instead of the mesh's own; all of it is done on the CPU. `scores`: of every view by the consistency check
    (percent of the diagonal), 0 is perfect. Writes nothing; the same input gives the same bytes, unless unwrapping runs
    out of time. Raises InputError where the views have no colours or do not show the mesh, or the texture is too large
    for the memory.
    """
    settings = settings or TextureConfig()
    check_texturing(views, settings)
    parts = [_sound(part, name) for part, name in ((mesh, "mesh"), (detail, "finer mesh")) if part is not None]
    trust = _trust(views, settings, scores)
    with shielded():
        found = _textured(parts[0], views.to("cpu"), settings, parts[-1], trust)
    textured = found.mesh.texture
    assert textured is not None
    return replace(found, mesh=replace(mesh, texture=textured.to(mesh.vertices.device)))


def _textured(
    mesh: Mesh, views: ViewSet, settings: TextureConfig, detail: Mesh, trust: Float[np.ndarray, " V"]
) -> Textured:
    """`detail` may be the mesh itself."""
    assert views.rgb is not None
    observer = Observer(detail, views, linear_images(views.rgb))
    notes = _check_fit(observer, views, settings.least_fit)
    atlas = unwrap(mesh.vertices, mesh.faces, settings.size, settings.padding, settings.unwrap, settings.seconds)
    step = STEP * float(observer.pixels.min())
    flat = make_lattice(mesh, atlas, step)
    lattice = flat if detail is mesh else onto(flat, detail, step)
    uv, uv_faces = torch.from_numpy(lattice.uv), torch.from_numpy(lattice.uv_faces)
    texels = Texels(uv, uv_faces, settings.size, hinges(lattice.points, lattice.faces))
    levels = find_levels(lattice, observer, trust)
    baked = bake(lattice, observer, levels, texels)
    if settings.bake == "optimize":
        baked = fitted(baked, flat, observer, levels)
    normals = None
    if settings.normals:
        shown = observer.showing(views.normals.cpu().numpy())
        normals = torch.from_numpy(bake_normals(mesh, atlas, lattice, shown, trust, texels))
    found = Texture(
        uv=atlas.uv,
        faces=atlas.faces,
        color=torch.from_numpy(nearest(srgb_bytes(baked.linear), baked.source != NOWHERE)),
        normals=normals,
        roughness=settings.roughness,
        metallic=settings.metallic,
    )
    return Textured(
        mesh=replace(mesh, texture=found),
        source=torch.from_numpy(baked.source),
        confidence=torch.from_numpy(baked.confidence),
        figures=_figures(atlas, mesh, levels, settings.size),
        notes=(*notes, *atlas.notes, *_little_seen(levels.seen)),
    )


def check_texturing(views: ViewSet, settings: TextureConfig) -> None:
    """Raises InputError where no mesh could get a texture from these views: no colours, wrong weights, too many, too
    little memory.
    """
    if views.rgb is None:
        raise InputError("the views have no colours (--views): a texture needs them")
    if len(views) > MOST_VIEWS:
        raise InputError(f"there are {len(views)} views, but a texture is made from {MOST_VIEWS} at most")
    views.weights(settings.view_weights, "texture.view_weights")
    needed = TEXEL_BYTES * settings.size**2 + len(views) * (PIXEL_BYTES * views.masks[0].numel() + VIEW_BYTES)
    present = hardware.memory()
    if present is not None and needed / hardware.GIB > present:
        raise InputError(
            f"a texture of {settings.size} x {settings.size} texels from {len(views)} views takes about"
            f" {needed / hardware.GIB:.1f} GiB of memory, but there are {present:.1f}; a smaller --texture-size or"
            " --resolution takes less"
        )


def _sound(mesh: Mesh, name: str) -> Mesh:
    """On the CPU, vertices that no face uses moved to one that is used: they mean nothing, wherever they are."""
    mesh = replace(mesh.to("cpu"), texture=None)
    if not len(mesh.faces):
        raise InputError(f"the {name} has no faces: there is nothing to texture")
    index = mesh.faces.long()
    if index.min() < 0 or index.max() >= len(mesh.vertices):
        raise InputError(f"the {name} has faces of vertices that are not there (0 to {len(mesh.vertices) - 1} are)")
    if not mesh.vertices[index].isfinite().all():
        raise InputError(f"the {name} has faces whose coordinates are not finite numbers: they cannot be textured")
    used = torch.zeros(len(mesh.vertices), 1, dtype=torch.bool)
    used[index.reshape(-1)] = True
    if used.all():
        return mesh
    return replace(mesh, vertices=torch.where(used, mesh.vertices, mesh.vertices[index[0, 0]]))


def _figures(atlas: Atlas, mesh: Mesh, levels: Levels, size: int) -> dict[str, Any]:
    """For the report; docs/report.md lists the keys."""
    return {
        "size": size,
        "method": atlas.method,
        **asdict(figures(atlas, mesh.vertices)),
        "seen": levels.seen,
        "exposure": [[round(float(gain), 4) for gain in row] for row in levels.exposure],
        "trust": [round(float(value), 4) for value in levels.trust],
    }


def _little_seen(share: float) -> tuple[str, ...]:
    """A note, where it is needed."""
    if share >= LITTLE:
        return ()
    found = f"only {100 * share:.1f} % of the surface is seen by a view"
    return (f"{found}, the rest is filled in: do the mesh's faces look inwards?",)


def _trust(views: ViewSet, settings: TextureConfig, scores: Sequence[float] | None) -> Float[np.ndarray, " V"]:
    """How much each view counts: by the checks 1 at most, times what the settings say."""
    values = np.zeros(len(views)) if scores is None else np.asarray(scores, np.float64)
    if values.shape != (len(views),) or not np.isfinite(values).all():
        raise InputError(f"scores are {values.tolist()}, but there are {len(views)} views: expected a number for each")
    found = 1 / (1 + np.square(values / DOUBTFUL))
    given = views.weights(settings.view_weights, "texture.view_weights").cpu().double().numpy()
    found *= given / given.max()
    aside = np.array([max(abs((c.azimuth + 180) % 360 - 180), abs(c.elevation)) for c in views.cameras])
    front = (np.arange(len(views)) == aside.argmin()) & (aside < FRONT)
    return found / found.max() * np.where(front, settings.front_weight, 1.0)


def _check_fit(observer: Observer, views: ViewSet, least: float) -> tuple[str, ...]:
    """A note where the views show the mesh a little off; InputError where they show something else."""
    fit = observer.fit
    if not fit.any():
        raise InputError(
            "no view sees the mesh: it lies outside of all images, or is thinner than their pixels; check its units and"
            " place, and the cameras (--rig)"
        )
    masked = np.flatnonzero((observer.masks > 0.5).mean(axis=(1, 2)) < FULL)
    if not len(masked):
        return (
            "the views have no masks, all of each image counts as object: whether they show this mesh where it stands"
            " cannot be told (--matting makes masks).",
        )
    middle, worst = 100 * float(np.median(fit[masked])), int(masked[fit[masked].argmin()])
    found = (
        f"its silhouettes overlap the views' by {middle:.0f} % (intersection over union, the median; least in"
        f" {views.cameras[worst].name}, {100 * fit[worst]:.0f} %)"
    )
    remedy = "check the rig (--rig), and the mesh's front (+Z), up (+Y), size and place"
    if middle < 100 * least:
        raise InputError(
            f"the views do not show this mesh as it stands: {found}, expected at least {100 * least:.0f} %; {remedy},"
            " or lower texture.least_fit"
        )
    return (f"the mesh is not quite what the views show: {found}; {remedy}.",) if middle < 100 * GOOD_FIT else ()
