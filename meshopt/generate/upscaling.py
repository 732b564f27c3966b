"""Super-resolution of generated views: by a filter, by an ONNX model, or by a diffusion model of diffusers'."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image as Pillow

from meshopt.errors import InputError
from meshopt.generate import folders
from meshopt.generate.adapters import GeneratedViews
from meshopt.generate.libraries import loading, require_diffusers
from meshopt.generate.runtime import Runtime
from meshopt.io.files import read_json
from meshopt.io.images import to_bytes

FACTORS = (1, 8)
KINDS = ("StableDiffusionUpscalePipeline", "StableDiffusionLatentUpscalePipeline")
Picture = Float[np.ndarray, "H W 3"]
Enlarge = Callable[[Picture], np.ndarray]  # sRGB in [0, 1] to sRGB in [0, 1], any number of times as large


@dataclass(frozen=True)
class UpscaleOptions:
    """How many times as large views become (1: as they are), and by what.

    `model`: None is Lanczos' filter, else an ONNX file (float32 [1, 3, H, W] in [0, 1] to as many times larger), or the
    folder of a pipeline of one of `KINDS`. Raises InputError.
    """

    factor: int = 1
    model: str | None = None

    def __post_init__(self) -> None:
        low, high = FACTORS
        if not low <= self.factor <= high:
            raise InputError(f"--upscale {self.factor} is out of range, expected {low} to {high} times.")
        if self.model is not None and self.factor == 1:
            raise InputError(f"--upscaler {self.model}: says with what, and --upscale N, how many times, is missing.")

    def check(self) -> None:
        """Raises InputError where the model is not there or cannot be one."""
        if self.model is None:
            return
        path = Path(self.model).expanduser()
        if path.suffix.lower() == ".onnx":
            if not path.is_file():
                raise InputError(f"--upscaler {path} does not exist: expected an .onnx file or a folder.")
            if importlib.util.find_spec("onnxruntime") is None:
                raise InputError("--upscaler needs the package onnxruntime for .onnx files: pip install onnxruntime.")
            return
        require_diffusers()
        folders.check_folder(path, f"--upscaler {path}", "model_index.json")
        folders.check_tensors(path, pickles=False)
        _kind(path)

    @property
    def record(self) -> dict[str, Any]:
        """For the record of a run."""
        how = "lanczos" if self.model is None else Path(self.model).expanduser().resolve().name
        return {"upscale": {"factor": self.factor, "model": how}} if self.factor > 1 else {}


def upscale(views: GeneratedViews, options: UpscaleOptions, runtime: Runtime, seed: int) -> GeneratedViews:
    """The views so many times as large: colours by the model, normals and coverage always by the filter.

    A model that enlarges by another factor is followed by the filter. Raises InputError where the model fails.
    """
    if options.factor == 1:
        return views
    size = options.factor * views.rgb.shape[1]
    with _enlarger(options.model, runtime, seed) as enlarge:
        rgb = []
        for view, picture in enumerate(views.rgb):
            rgb.append(np.clip(lanczos(_checked(enlarge(picture), picture, options), size), 0, 1))
            runtime.on_step("upscale", view + 1, len(views.rgb))
    normals = None if views.normals is None else np.stack([np.clip(lanczos(n, size), -1, 1) for n in views.normals])
    alpha = None if views.alpha is None else np.stack([np.clip(lanczos(a, size), 0, 1) for a in views.alpha])
    return replace(views, rgb=np.stack(rgb), normals=normals, alpha=alpha)


def lanczos(image: Float[np.ndarray, "H W *C"], size: int) -> Float[np.ndarray, "size size *C"]:
    """The image on another pixel grid over the same square; overshoots at edges, as the filter does."""
    if image.shape[:2] == (size, size):
        return np.asarray(image, np.float32)
    flat = np.asarray(image, np.float32).reshape(*image.shape[:2], -1)
    channels = [Pillow.fromarray(np.ascontiguousarray(flat[..., c])) for c in range(flat.shape[2])]
    resized = [np.asarray(c.resize((size, size), Pillow.Resampling.LANCZOS), np.float32) for c in channels]
    return np.stack(resized, axis=-1).reshape(size, size, *image.shape[2:])


def _checked(large: np.ndarray, picture: Picture, options: UpscaleOptions) -> Float[np.ndarray, "h w 3"]:
    rows = picture.shape[0]
    fits = large.ndim == 3 and large.shape[0] == large.shape[1] and large.shape[2] == 3 and large.shape[0] >= rows
    if not fits or not np.isfinite(large).all():
        raise InputError(
            f"--upscaler {options.model} made an array of shape {large.shape} (or NaN) of a picture of shape "
            f"{picture.shape}, expected a larger square picture."
        )
    return np.asarray(large, np.float32)


@contextmanager
def _enlarger(model: str | None, runtime: Runtime, seed: int) -> Iterator[Enlarge]:
    if model is None:
        yield lambda picture: picture
        return
    path = Path(model).expanduser()
    yield _of_onnx(path) if path.suffix.lower() == ".onnx" else _of_diffusers(path, runtime, seed)


def _of_onnx(path: Path) -> Enlarge:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=onnxruntime.get_available_providers())
    except Exception as error:  # onnxruntime raises many kinds
        raise InputError(f"--upscaler {path} cannot be loaded by onnxruntime: {_short(error)}.") from error
    name = session.get_inputs()[0].name

    def enlarge(picture: Picture) -> np.ndarray:
        given = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
        try:
            (found, *_) = session.run(None, {name: given})
        except Exception as error:
            raise InputError(f"--upscaler {path} fails on a picture {given.shape}: {_short(error)}.") from error
        return np.clip(found[0].transpose(1, 2, 0), 0, 1) if found.ndim == 4 else found

    return enlarge


def _of_diffusers(path: Path, runtime: Runtime, seed: int) -> Enlarge:
    import diffusers

    with loading(path):
        pipeline = getattr(diffusers, _kind(path)).from_pretrained(
            path, dtype=runtime.dtype, local_files_only=True, use_safetensors=True
        )
    pipeline.set_progress_bar_config(disable=True)
    runtime.place(pipeline)

    def enlarge(picture: Picture) -> np.ndarray:
        image = Pillow.fromarray(to_bytes(picture))
        return pipeline("", image=image, generator=runtime.generator(seed), output_type="np").images[0]

    return enlarge


def _kind(path: Path) -> str:
    index = path / "model_index.json"
    try:
        kind = str(read_json(index)["_class_name"])[:80]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{index} cannot be read as a pipeline's index: {error}.") from error
    if kind not in KINDS:
        raise InputError(f"--upscaler {path}: is a {kind}, expected a {' or a '.join(KINDS)}.")
    return kind


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
