"""Generated views as files: a folder that `load_views` reads without a flag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from meshopt import __version__
from meshopt.errors import InputError
from meshopt.generate.adapters import GeneratedViews
from meshopt.generate.preparation import Framed, as_bytes
from meshopt.io.files import check_folder, staged_folder
from meshopt.io.view_files import (
    LAYERS,
    Layer,
    ViewFiles,
    colour_image,
    encode_picture,
    files_of_rig,
    older_files,
    sheet_of,
    vector_image,
)
from meshopt.rigs import Rig

INPUT = "input.png"  # the picture as the model saw it


@dataclass(frozen=True)
class WrittenViews:
    """What was written: the folder, its files, and whether there are normals."""

    folder: Path
    paths: tuple[str, ...]
    files: ViewFiles
    has_normals: bool


def check_output(folder: str | Path, rig: Rig, overwrite: bool = False) -> None:
    """Raises InputError where the views of a rig could not be put into the folder; changes nothing."""
    if not str(folder).strip():
        raise InputError("--output is an empty text, expected a folder (. is the current one)")
    check_folder(Path(folder), (*files_of_rig(rig, 1).paths(LAYERS), INPUT), overwrite)


def write_views(
    views: GeneratedViews,
    picture: Framed | None,
    record: Mapping[str, Any],
    folder: str | Path,
    overwrite: bool = False,
) -> WrittenViews:
    """Writes views, in the files that their rig's generator writes, the picture that they are of, and the cameras.

    All files or none. `record` goes into the cameras file. Raises InputError where the folder holds such files and
    `overwrite` is False, OSError where the disk fails.
    """
    folder = Path(folder)
    height, width = views.rgb.shape[1:3]
    if height != width or len(views.rgb) != len(views.rig.views):
        raise InputError(
            f"the model gave {len(views.rgb)} views of {width} x {height} pixels, expected {len(views.rig.views)} "
            f"square ones for rig {views.rig.name}: these weights are of another model."
        )
    files = files_of_rig(views.rig, height, views.frame)
    layers: tuple[Layer, ...] = ("rgb",) if views.normals is None else ("rgb", "normals")
    pictures = {layer: _pictures(views, layer, files) for layer in layers}
    old = (*files.paths(LAYERS), *older_files(folder), INPUT)
    with staged_folder(folder, old, overwrite) as staging:
        for layer, images in pictures.items():
            _write(staging, files, layer, images)
        if picture is not None:
            (staging / INPUT).write_bytes(encode_picture(as_bytes(picture)))
        head = {"written_by": f"meshopt {__version__} generate", **record}
        (staging / "cameras.json").write_bytes(files.cameras_file(layers, head))
    extra = (INPUT,) if picture is not None else ()
    return WrittenViews(folder, (*files.paths(layers), *extra), files, views.normals is not None)


def _pictures(views: GeneratedViews, layer: Layer, files: ViewFiles) -> list[UInt8[np.ndarray, "H W C"]]:
    count = len(views.rgb)
    alphas = [None] * count if views.alpha is None else [np.asarray(a, np.float32) for a in views.alpha]
    if layer == "normals":
        assert views.normals is not None
        return [vector_image(n, a, files.grey) for n, a in zip(views.normals, alphas, strict=True)]
    solid = np.ones(views.rgb.shape[1:3], np.float32)
    return [
        colour_image(c, solid, 0) if a is None else colour_image(c, a, None)
        for c, a in zip(views.rgb, alphas, strict=True)
    ]


def _write(folder: Path, files: ViewFiles, layer: Layer, images: Sequence[UInt8[np.ndarray, "H W C"]]) -> None:
    (folder / layer).mkdir(exist_ok=True)
    if files.sheet is not None:
        (folder / files.path(layer, 0)).write_bytes(encode_picture(sheet_of(images, files)))
        return
    for view, image in enumerate(images):
        (folder / files.path(layer, view)).write_bytes(encode_picture(image))
