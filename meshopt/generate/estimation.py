"""Normals of views that have colours alone, by a model that estimates them picture by picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from meshopt import __version__
from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.frames.encoding import frame_to_world
from meshopt.generate.adapters import Card, NormalModel, OnStep, Request
from meshopt.generate.runtime import RuntimeOptions, memory_advice, start
from meshopt.generate.stage import GenerateOptions
from meshopt.generate.weights import Places, Weights, locate, obtain
from meshopt.io.files import check_folder, staged_folder
from meshopt.io.view_files import (
    LAYERS,
    ViewFiles,
    colour_image,
    encode_picture,
    files_of_views,
    normal_image,
    older_files,
)
from meshopt.views import ViewSet

BACKGROUND = 1.0  # sRGB around the object in the picture that the model sees: most views come before white


@dataclass(frozen=True)
class EstimateOptions:
    """How normals are estimated; `steps` of denoising, None: as the model's authors do. Raises InputError."""

    seed: int = 0
    steps: int | None = None
    runtime: RuntimeOptions = field(default_factory=RuntimeOptions)

    def __post_init__(self) -> None:
        GenerateOptions(seed=self.seed, steps=self.steps)  # the same bounds

    def request(self, card: Card) -> Request:
        """What is asked of a model."""
        return Request(self.seed, card.steps if self.steps is None else self.steps, card.guidance)


@dataclass(frozen=True, eq=False)
class Estimated:
    """Views with estimated normals, in the world's frame, and where the model's weights were from."""

    views: ViewSet
    weights: Weights


def estimate(
    model: NormalModel,
    views: ViewSet,
    places: Places,
    options: EstimateOptions,
    on_step: OnStep = lambda what, done, total: None,
) -> Estimated:
    """The views with normals for every covered pixel; any that they had are replaced.

    Every view is seen by itself, with the same seed. The same views, weights and seed give the same bytes on the CPU.
    Raises InputError where the views have no colours or the model cannot be used.
    """
    if views.rgb is None:
        raise InputError("the views have no colours, of which normals are estimated: give their folder.")
    runtime = start(options.runtime, offload=model.card.offload)
    weights = obtain(model.card, locate(model.card, places), places)
    request = options.request(model.card)
    count, maps = len(views), []
    with memory_advice(runtime), runtime.seeded(request.seed):
        pipeline = None
        for view, picture in enumerate(_pictures(views)):

            def told(what: str, done: int, total: int, view: int = view) -> None:
                on_step(what, view * total + done, count * total)

            runtime = replace(runtime, on_step=told)
            if pipeline is None:
                pipeline = model.load(weights, runtime)
            torch.manual_seed(request.seed)
            maps.append(model.run(pipeline, picture, request, runtime))
    return Estimated(replace(views, normals=_world(maps, views)), weights)


def _pictures(views: ViewSet) -> list[Float[np.ndarray, "H W 3"]]:
    assert views.rgb is not None
    alpha = views.masks[..., None]
    return list((views.rgb * alpha + BACKGROUND * (1 - alpha)).cpu().numpy().astype(np.float32))


def _world(maps: Sequence[Float[np.ndarray, "H W 3"]], views: ViewSet) -> torch.Tensor:
    """Unit vectors of the cameras' frames in the world's, 0 outside the masks."""
    vectors = np.einsum("vij,vhwj->vhwi", frame_to_world(views.cameras, "camera"), np.stack(maps))
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit = torch.from_numpy((vectors / np.maximum(length, 1e-6)).astype(np.float32)).to(views.masks)
    return torch.where(views.masks[..., None] > 0, unit, 0)


def check_output(folder: str | Path, views: ViewSet, overwrite: bool = False) -> None:
    """Raises InputError where the views could not be put into the folder; changes nothing."""
    if not str(folder).strip():
        raise InputError("--output is an empty text, expected a folder (. is the current one)")
    check_folder(Path(folder), _files(views).paths(LAYERS), overwrite)


def write_estimated(
    done: Estimated,
    model: NormalModel,
    options: EstimateOptions,
    folder: str | Path,
    overwrite: bool = False,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> ViewFiles:
    """Writes colours, normals in the cameras' frames, both with alpha, and the cameras: a set that `load_views` reads.

    All files or none. `more` goes into the cameras file. Raises InputError where the folder holds such files and
    `overwrite` is False.
    """
    views, folder = done.views, Path(folder)
    assert views.rgb is not None
    files, request = _files(views), options.request(model.card)
    record = {"model": model.card.name, "weights": list(done.weights.record), "seed": request.seed}
    made = {"written_by": f"meshopt {__version__} normals", **more, "estimated": record | {"steps": request.steps}}
    with staged_folder(folder, (*files.paths(LAYERS), *older_files(folder)), overwrite) as staging:
        for layer in ("rgb", "normals"):
            (staging / layer).mkdir()
        layers = (t.cpu().numpy() for t in (views.rgb, views.normals, views.masks))
        for view, (rgb, normals, alpha) in enumerate(zip(*layers, strict=True)):
            (staging / files.path("rgb", view)).write_bytes(encode_picture(colour_image(rgb, alpha, None)))
            encoded = encode_picture(normal_image(normals, alpha, files, view))
            (staging / files.path("normals", view)).write_bytes(encoded)
        (staging / "cameras.json").write_bytes(files.cameras_file(("rgb", "normals"), made))
    return files


def _files(views: ViewSet) -> ViewFiles:
    return files_of_views(views.rig, _own(views), views.resolution[0], "camera")


def _own(views: ViewSet) -> tuple[Camera, ...]:
    """The cameras in the user's units."""
    offset = np.asarray(views.offset)
    return tuple(camera.transformed(views.scale, -offset / views.scale) for camera in views.cameras)
