"""`--rig auto`: the rig from files' names, their number, a sheet's layout and, where these leave a doubt,
the normals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshopt.errors import InputError
from meshopt.io.folders import ImageFile, Listing
from meshopt.io.images import Picture
from meshopt.io.pairing import find_named, numbers_of
from meshopt.loading.pictures import Pictures, Tile
from meshopt.matting import mask_from_background, mask_from_vectors
from meshopt.rigs import Rig, load_rig, presets

SQUARE = 0.03  # a sheet's tiles may be so much off square
CLEAR = 30.0  # degrees: mean directions of normals must fit a rig within this, and the next one worse by as much
CROSSED, TOUCHED = 0.1, 0.03  # one view: share of all lines between tiles that the object crosses, and of each line
PARALLEL, ALIKE = 0.9, 0.1  # it crosses where normals have this cosine and more, colours this step and less, across it


def grid_of(rig: Rig, path: Path, pictures: Pictures) -> tuple[int, int]:
    """Rows and columns of a sheet that shows all views of a rig. Raises InputError where no layout has
    square tiles.
    """
    height, width = pictures.size(Tile(path))
    count = len(rig.views)
    others = [(r, count // r) for r in range(1, count + 1) if count % r == 0]
    for rows, columns in dict.fromkeys([*rig.sheets, *others]):
        if _square(height / rows, width / columns):
            return rows, columns
    raise InputError(
        f"{path} is {width} x {height} pixels, which does not divide into the {count} square views of rig "
        f"{rig.name}; expected a sheet of "
        + " or ".join(f"{columns} x {rows}" for rows, columns in (rig.sheets or others))
        + " tiles (columns x rows), or a folder; one single view goes with --rig turntable:1."
    )


def shows_one_view(listing: Listing, grid: tuple[int, int], pictures: Pictures) -> bool:
    """Whether the only image, cut into tiles, would be cut through the object: it runs on across the cuts.

    Colours, which two views that touch may share, have to run on across every cut, were it a little.
    """
    picture = pictures.read(Tile(listing.views[0].path))
    if not _square(*picture.shape):
        return False
    shown = _object_normals(picture) if listing.normals else _object_colours(picture)
    if shown is None:
        return False
    crossed = []
    for axis, parts in enumerate(grid):
        size = shown.shape[axis]
        for cut in (size * k // parts for k in range(1, parts)):
            before, after = shown.take(max(cut - 2, 0), axis), shown.take(min(cut + 1, size - 1), axis)
            if listing.normals:
                crossed.append((before * after).sum(axis=-1) > PARALLEL)
            else:
                crossed.append(np.abs(before - after).max(axis=-1) < ALIKE)
    if not crossed or (not listing.normals and min(line.mean() for line in crossed) < TOUCHED):
        return False
    return float(np.concatenate(crossed).mean()) > CROSSED


def _object_normals(picture: Picture) -> Float[np.ndarray, "H W 3"] | None:
    """Unit vectors as stored, NaN outside the object; None where it cannot be told from its background."""
    vectors = 2 * picture.pixels - 1 if picture.encoded else picture.pixels
    mask = mask_from_vectors(vectors) if picture.alpha is None else picture.alpha
    if mask is None:
        return None
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=2), 1e-6)[..., None]
    return np.where(mask[..., None] > 0.5, unit, np.nan)


def _object_colours(picture: Picture) -> Float[np.ndarray, "H W 3"] | None:
    """Colours, as `_object_normals`."""
    mask = mask_from_background(picture.pixels) if picture.alpha is None else picture.alpha
    return None if mask is None else np.where(mask[..., None] > 0.5, picture.pixels, np.nan)


def _square(height: float, width: float) -> bool:
    return abs(math.log(height / width)) < SQUARE


def recognise(listing: Listing, pictures: Pictures) -> tuple[Rig, str]:
    """The rig that the files belong to, and one sentence that says why.

    Raises InputError, naming the candidates, where the files do not tell.
    """
    files = listing.views
    automatic = [rig for rig in presets().values() if rig.automatic]
    if len(files) == 1:
        return _by_sheet(listing, automatic, pictures)
    numbers = numbers_of(files)
    if numbers is None:
        return _by_names(listing, automatic)
    fitting = [rig for rig in automatic if len(rig.views) == len(files)]
    if not fitting:
        raise InputError(
            f"{files[0].path.parent} holds {len(files)} numbered views, which fits no preset: say --rig "
            f"turntable:{len(files)} if they go evenly around the object, or give a cameras file (--rig "
            "FILE.json)."
        )
    why = f"{len(files)} numbered files"
    tiles = [Tile(file.path) for _, file in sorted(zip(numbers, files, strict=True), key=lambda pair: pair[0])]
    return _decide(fitting, listing, why, [tiles] * len(fitting), pictures)


def _by_names(listing: Listing, automatic: list[Rig]) -> tuple[Rig, str]:
    files = listing.views
    where = f"{listing.kind} in {files[0].path.parent}"
    fitting = []
    for rig in automatic:
        names = [view.names for view in rig.views]
        try:
            found, _ = find_named(files, names, where, f"rig {rig.name}")
        except InputError:
            continue
        if len(found) == len(names):
            fitting.append(rig)
    most = max((len(rig.views) for rig in fitting), default=0)
    fitting = [rig for rig in fitting if len(rig.views) == most]
    if not fitting or most < len(files) - 1:
        known = ", ".join(rig.name for rig in automatic)
        raise InputError(
            f"{where}: {len(files)} files such as {files[0].path.name} fit no preset by name or number; say "
            f"--rig ({known}, turntable:N) or give a cameras file (--rig FILE.json)."
        )
    return _decide(fitting, listing, "the views' names", None, None)


def _by_sheet(listing: Listing, automatic: list[Rig], pictures: Pictures) -> tuple[Rig, str]:
    file = listing.views[0]
    height, width = pictures.size(Tile(file.path))
    fitting, grids = [], []
    for rig in automatic:
        for rows, columns in rig.sheets:
            if _square(height / rows, width / columns):
                fitting.append(rig)
                grids.append((rows, columns))
    if not fitting:
        known = ", ".join(rig.name for rig in automatic)
        raise InputError(
            f"{file.path} is one image of {width} x {height} pixels, which is no preset's sheet of square "
            f"views; say --rig ({known}, turntable:N), or give a folder with one image for each view."
        )
    tiles = [
        [Tile(file.path, grid, i) for i in range(len(rig.views))] for rig, grid in zip(fitting, grids, strict=True)
    ]
    if all(shows_one_view(listing, grid, pictures) for grid in dict.fromkeys(grids)):
        return load_rig("turntable:1"), f"rig: turntable:1, because {file.path.name} is one view, not a sheet of views."
    shapes = " or ".join(f"{columns} columns x {rows} rows" for rows, columns in dict.fromkeys(grids))
    return _decide(fitting, listing, f"a sheet of square tiles, {shapes}", tiles, pictures)


def _decide(
    fitting: list[Rig],
    listing: Listing,
    why: str,
    tiles: list[list[Tile]] | None,
    pictures: Pictures | None,
) -> tuple[Rig, str]:
    """One of the rigs that fit: those with the same cameras are as good as one; else the normals decide."""
    stems = [file.path.stem for file in listing.views]
    best = min(fitting, key=lambda rig: (not rig.matches_files(stems), rig.rank))
    if any(not rig.same_cameras(best) for rig in fitting):
        if not listing.normals:
            raise InputError(
                f"{listing.rgb[0].path.parent}: {len(best.views)} views without names could be {_names(fitting)}, and "
                "without normal maps nothing tells which; say --rig."
            )
        assert tiles is not None
        assert pictures is not None
        best, evidence = _by_normals(fitting, listing.normals, tiles, pictures)
        why = f"{why}; {evidence}"
    twins = [rig.name for rig in fitting if rig.same_cameras(best) and rig.name != best.name]
    same = f" ({' and '.join(dict.fromkeys(twins))}: the same cameras)" if twins else ""
    return best, f"rig: {best.name}, chosen by {why}{same}."


def _by_normals(
    fitting: list[Rig], files: Sequence[ImageFile], tiles: list[list[Tile]], pictures: Pictures
) -> tuple[Rig, str]:
    """The rig whose cameras and frame explain the mean direction of each view's normals."""
    scores = []
    for rig, rig_tiles in zip(fitting, tiles, strict=True):
        means = np.array([mean_direction(pictures, tile) for tile in rig_tiles])
        scores.append(_misfit(rig, means))
    order = sorted(range(len(fitting)), key=lambda i: (round(scores[i]), fitting[i].rank))
    best = fitting[order[0]]
    rival = next((i for i in order if not fitting[i].same_cameras(best)), None)
    if scores[order[0]] < CLEAR and (rival is None or scores[rival] > scores[order[0]] + CLEAR):
        turn = "do not turn from view to view" if best.normal_frame == "camera" else "turn with the cameras"
        return best, f"the normals {turn} (misfit {scores[order[0]]:.0f} deg)"
    raise InputError(
        f"{files[0].path.parent}: {len(tiles[0])} views without names could be {_names(fitting)}, and their normals do "
        "not tell which; say --rig."
    )


def _names(rigs: list[Rig]) -> str:
    return " or ".join(dict.fromkeys(rig.name for rig in rigs))


def mean_direction(pictures: Pictures, tile: Tile) -> Float[np.ndarray, "3"]:
    """The mean of a normal map's vectors as stored, background (too short or too long to be a normal) left
    out.
    """
    picture = pictures.read(tile)
    vectors = 2 * picture.pixels - 1 if picture.encoded else picture.pixels
    length = np.linalg.norm(vectors, axis=2)
    seen = (length > 0.5) & (length < 1.3)
    if picture.alpha is not None:
        seen &= picture.alpha > 0.5
    return vectors[seen].mean(axis=0) if seen.any() else np.zeros(3)


def _misfit(rig: Rig, means: Float[np.ndarray, "V 3"]) -> float:
    """Mean angle in degrees, around the vertical axis, between mean normals and what the rig predicts."""
    expected = [0.0 if rig.normal_frame == "camera" else view.azimuth for view in rig.views]
    found = np.degrees(np.arctan2(means[:, 0], means[:, 2]))
    return float(np.abs((found - expected + 180) % 360 - 180).mean())
