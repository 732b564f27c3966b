"""Damage to how well pictures are rendered: blur, low resolution, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Float32

from meshopt.evaluate.pictures import Change, Changes, Picture, Task, unmixed


def blur(task: Task) -> Changes:
    """One view's normals and colours under a Gaussian."""
    sigma = task.strength * task.picture.pixel
    if sigma == 0:
        return {task.chosen: Change(task.picture, {"sigma": 0.0})}
    layers = [cv2.GaussianBlur(layer, (0, 0), sigma) for layer in _layers(task.picture)]
    return {task.chosen: Change(unmixed(task.picture, *layers), {"sigma": sigma})}


def lowres(task: Task) -> Changes:
    """One view's normals and colours reduced to `strength` rows and enlarged again."""
    height, width = task.picture.mask.shape
    rows = min(round(task.strength), height)
    small = (max(1, round(width * rows / height)), rows)
    layers = [
        cv2.resize(cv2.resize(layer, small, interpolation=cv2.INTER_AREA), (width, height))
        for layer in _layers(task.picture)
    ]
    return {task.chosen: Change(unmixed(task.picture, *layers), {"rows": rows})}


def _layers(picture: Picture) -> list[Float32[np.ndarray, "H W *C"]]:
    """Mask, and normals and colours multiplied by it."""
    mask = picture.mask[..., None]
    return [picture.mask, mask * picture.normals] + ([] if picture.rgb is None else [mask * picture.rgb])


def jpeg(task: Task) -> Changes:
    """All normals, coded in the world's frame over grey, and colours, over white, as JPEG files."""
    changes = {}
    for i, picture in enumerate(task.pictures):
        normals = 2 * _through_jpeg(0.5 * picture.normals + 0.5, round(task.strength)) - 1
        inside = picture.mask[..., None] > 0
        layers = [np.ones_like(picture.mask), normals]
        if picture.rgb is not None:
            layers.append(_through_jpeg(np.where(inside, picture.rgb, 1), round(task.strength)))
        changes[i] = Change(unmixed(picture, *layers), {"quality": round(task.strength)})
    return changes


def _through_jpeg(image: Float[np.ndarray, "H W 3"], quality: int) -> Float32[np.ndarray, "H W 3"]:
    """An image in [0, 1] as it comes out of a JPEG file."""
    coded = np.clip(np.rint(255 * image[..., ::-1]), 0, 255).astype(np.uint8)
    stream = cv2.imencode(".jpg", coded, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR))
    return decoded[..., ::-1].astype(np.float32) / 255
