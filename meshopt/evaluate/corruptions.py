"""Views damaged on purpose, with the truth about what was done: what detection and robustness are measured
with.
"""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from meshopt.errors import InputError
from meshopt.evaluate import bending, content, masks, placement, quality
from meshopt.evaluate.pictures import Changes, Picture, Task
from meshopt.evaluate.truth import Truth, compare
from meshopt.views import ViewSet


@dataclass(frozen=True)
class Kind:
    """A kind of damage. `strength` is the usual one, in `unit`, from `low` to `high`; None: it has none."""

    function: Callable[[Task], Changes]
    description: str
    strength: float | None = None
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    several: bool = False
    """It damages all views, or all but the first: none can be named."""
    needs_two: bool = False
    """It needs a second view."""
    needs_rgb: bool = False
    candidates: Callable[[tuple[Picture, ...]], list[int]] | None = None
    """Views one of which is drawn where none is named; None: all but the first."""


@dataclass(frozen=True, eq=False)
class Corrupted:
    """Damaged views and what was done to them."""

    views: ViewSet
    truth: Truth


KINDS: dict[str, Kind] = {
    "rotate": Kind(bending.rotate, "one view's normals turned about a random axis", 10, "degrees", 0, 180),
    "rotate_all": Kind(
        bending.rotate_all,
        "every view's normals but the first's turned, each about its own random axis",
        strength=10,
        unit="degrees",
        high=180,
        several=True,
        needs_two=True,
    ),
    "noise": Kind(bending.noise, "all normals bent by smooth noise", 10, "degrees rms", 0, 90, several=True),
    "bend": Kind(bending.bend, "one view's normals bent very smoothly", 10, "degrees rms", 0, 90),
    "patch": Kind(bending.patch, "a part of one view's normals turned", 25, "degrees", 0, 180),
    "flipped": Kind(bending.flipped, "x, y or both of one view's normals inverted, in its camera's frame"),
    "world_flipped": Kind(bending.world_flipped, "x, y or z of one view's normals inverted, in the front's frame"),
    "zoom": Kind(placement.zoom, "one view larger or smaller", 4, "percent", 0, 50),
    "shift": Kind(placement.shift, "one view shifted in a random direction", 1.5, "percent of the image", 0, 50),
    "misplaced": Kind(
        placement.misplaced,
        "every view but the first larger or smaller, and shifted by 1.5 px of 512 per percent",
        strength=4,
        unit="percent",
        high=50,
        several=True,
        needs_two=True,
    ),
    "mirrored": Kind(placement.mirrored, "one view of the mirrored object"),
    "swapped": Kind(placement.swapped, "two views exchanged, normals kept in the world's frame", needs_two=True),
    "swapped_camera": Kind(
        placement.swapped_camera, "two views exchanged, normals kept in the cameras' frames", needs_two=True
    ),
    "order": Kind(
        placement.order,
        "each view has the next one's picture, normals kept in the cameras' frames",
        several=True,
        needs_two=True,
    ),
    "elevation": Kind(
        placement.elevation, "all cameras believed lower than they were", 8, "degrees", -45, 45, several=True
    ),
    "janus": Kind(
        content.janus,
        "the front's picture repeated on the back",
        needs_two=True,
        candidates=lambda pictures: [content.opposite_view(pictures)],
    ),
    "janus_side": Kind(
        content.janus_side, "the front's picture repeated on a side", needs_two=True, candidates=content.side_views
    ),
    "color": Kind(content.color, "one view's colours shifted", 15, "percent", 0, 100, needs_rgb=True),
    "mask_bite": Kind(masks.mask_bite, "a part of one view's object is missing", 5, "percent of it", 0, 90),
    "mask_hole": Kind(masks.mask_hole, "a hole in one view's object", 3, "percent of it", 0, 90),
    "mask_extra": Kind(masks.mask_extra, "background taken for object in one view", 5, "percent of it", 0, 90),
    "fringe": Kind(masks.fringe, "one view's mask too wide, white there", 3, "px of 512", 0, 50),
    "blur": Kind(quality.blur, "one view blurred", 4, "px of 512, sigma", 0, 100),
    "lowres": Kind(quality.lowres, "one view of low resolution, enlarged", 64, "rows", 4, 8192),
    "jpeg": Kind(quality.jpeg, "all views saved as JPEG", 40, "quality", 1, 100, several=True),
}


def corrupt(
    views: ViewSet,
    kind: str,
    strength: float | None = None,
    *,
    seed: int = 0,
    view: str | None = None,
    area: float = 10.0,
) -> Corrupted:
    """The views with one kind of damage (of `KINDS`), and the truth about it.

    `strength` in the kind's unit, by default its usual one. The damaged view is the one named `view`, else drawn
    by the seed from all but the first. `area`: percent of the object's pixels that a patch covers. The same seed
    gives the same bytes; kinds draw independently. Raises InputError for an unknown kind or view, a strength out
    of range, and views to which this cannot be done.
    """
    spec = _spec(kind)
    used = _strength(kind, spec, strength)
    if not 0 < area <= 100:
        raise InputError(f"corruption {kind}: area {area:g} % is out of range: expected above 0, up to 100.")
    if spec.needs_two and len(views) < 2:
        raise InputError(f"corruption {kind} needs 2 views or more, found {len(views)}.")
    if spec.needs_rgb and views.rgb is None:
        raise InputError(f"corruption {kind} changes colours, but these views have none (--views).")
    random = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    pictures = _pictures(views)
    chosen = _chosen(kind, spec, pictures, view, random)
    changes = spec.function(Task(pictures, used or 0.0, chosen, random, area))
    found = compare(pictures, changes)
    truth = Truth(
        kind=kind,
        strength=used,
        unit=spec.unit,
        seed=seed,
        views=tuple(pictures[i].camera.name for i in changes),
        parameters={pictures[i].camera.name: change.parameters for i, change in changes.items()},
        effect=found.effect,
        degrees=found.degrees,
        changed=found.changed,
    )
    return Corrupted(_assembled(views, pictures, changes), truth)


def check_damage(kind: str, strength: float | None = None) -> None:
    """Raises InputError for a kind that is unknown and a strength that it cannot have."""
    _strength(kind, _spec(kind), strength)


def _spec(kind: str) -> Kind:
    if kind in KINDS:
        return KINDS[kind]
    close = difflib.get_close_matches(kind.lower(), KINDS, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise InputError(f"corruption {kind!r} is unknown{hint}: expected one of {', '.join(KINDS)}.")


def _strength(kind: str, spec: Kind, strength: float | None) -> float | None:
    if spec.strength is None:
        if strength is not None:
            raise InputError(f"corruption {kind} has no strength, found {strength:g}.")
        return None
    used = float(spec.strength if strength is None else strength)
    if not spec.low <= used <= spec.high:
        raise InputError(
            f"corruption {kind}: strength {used:g} is out of range: expected {spec.low:g} to {spec.high:g} {spec.unit}."
        )
    return used


def _chosen(kind: str, spec: Kind, pictures: tuple[Picture, ...], view: str | None, random: np.random.Generator) -> int:
    """The index of the view to damage; draws as often whether one is named or not."""
    names = [picture.camera.name for picture in pictures]
    places = spec.candidates(pictures) if spec.candidates else list(range(1, len(names))) or [0]
    drawn = places[random.integers(len(places))]
    if view is None:
        return drawn
    if spec.several:
        raise InputError(f"corruption {kind} damages several views: it takes no view, found {view!r}.")
    if view not in names:
        raise InputError(f"corruption {kind}: there is no view {view!r}: expected one of {', '.join(names)}.")
    return names.index(view)


def _pictures(views: ViewSet) -> tuple[Picture, ...]:
    rgb = None if views.rgb is None else _array(views.rgb)
    normals, coverage = _array(views.normals), _array(views.masks)
    return tuple(
        Picture(camera, normals[i], coverage[i], None if rgb is None else rgb[i])
        for i, camera in enumerate(views.cameras)
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float32).numpy()


def _assembled(views: ViewSet, pictures: tuple[Picture, ...], changes: Changes) -> ViewSet:
    """The views with changed pictures and cameras in place; everything else as it was."""
    new = [changes[i].picture if i in changes else picture for i, picture in enumerate(pictures)]
    pairs = list(zip(pictures, new, strict=True))
    return replace(
        views,
        cameras=tuple(picture.camera for picture in new),
        normals=_stacked(views.normals, [(a.normals, b.normals) for a, b in pairs]),
        masks=_stacked(views.masks, [(a.mask, b.mask) for a, b in pairs]),
        rgb=None if views.rgb is None else _stacked(views.rgb, [(a.rgb, b.rgb) for a, b in pairs]),
    )


def _stacked(tensor: Tensor, layers: list[tuple[np.ndarray | None, np.ndarray | None]]) -> Tensor:
    """The tensor with the layers (before, after) that have changed replaced."""
    if all(new is old for old, new in layers):
        return tensor
    return torch.stack(
        [tensor[i] if new is old else torch.from_numpy(new).to(tensor) for i, (old, new) in enumerate(layers)]
    )
