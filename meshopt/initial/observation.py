"""One view at the resolution of the depth maps: mask, normals, and where its normals tell of depth jumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from meshopt.curl import bending
from meshopt.initial.projection import PixelCamera, scaled_size
from meshopt.initial.silhouettes import Outline, resized

AGREE = 0.97  # the mean of a block's unit normals is used where it is longer; else the block's middle normal
RIM_TILT = (0.3, 0.6)  # sideways tilt of a normal (sine) from which, and at which fully, it may be an occluder's rim
CREASE = 0.9  # strength of the cue where normals turn across an edge, but none is a rim's
CURL_SIZE = 256  # pixels of the longer side at which it is measured how far normals are bent
BENT = 5.0  # degrees of bending at which normals are trusted by half
TURN = 0.12  # 1 - cosine of the turn across an edge that counts fully


@dataclass(frozen=True, eq=False)
class Observation:
    """A view over h x w pixels. `normals` are unit and in the world's frame, zero where unknown.

    `jumps` [2,h,w,2], in [0, 1]: for the edges to the right and to the lower neighbour, how much the normals around
    tell of a jump from the pixel to a farther neighbour, and to a nearer one. `trust`, in (0, 1]: how far the normals
    are those of any surface at all.
    """

    outline: Outline
    camera: PixelCamera
    mask: Bool[np.ndarray, "h w"]
    normals: Float32[np.ndarray, "h w 3"]
    jumps: Float32[np.ndarray, "2 h w 2"]
    trust: float

    @staticmethod
    def of(outline: Outline, normals: Float32[np.ndarray, "H W 3"], longest: int) -> Observation:
        """The view with its longer side reduced to `longest` pixels."""
        height, width = outline.mask.shape
        size = scaled_size(height, width, min(longest, max(height, width)))
        blocks = max(1, round(max(height, width) / max(size)))
        camera = PixelCamera.of(outline.camera.camera, *size)
        fine = unit(resized(normals, (size[0] * blocks, size[1] * blocks)))
        local = np.asarray(fine @ camera.camera.rotation.T.astype(np.float32))
        return Observation(
            outline=outline,
            camera=camera,
            mask=resized(outline.mask, size) > 0.5,
            normals=_reduced(fine, size),
            jumps=np.stack([_jumps(local, blocks, axis) for axis in (1, 0)]),
            trust=_trust(outline, normals),
        )


def _trust(outline: Outline, normals: Float32[np.ndarray, "H W 3"]) -> float:
    """1 where slopes have no curl, less the more they are bent."""
    height, width = outline.mask.shape
    size = scaled_size(height, width, min(CURL_SIZE, max(height, width)))
    camera, mask = outline.camera.camera, resized(outline.mask, size)
    small = unit(resized(normals * outline.mask[..., None], size)) @ camera.rotation.T.astype(np.float32)
    solid = (mask > 0.99) & (np.abs(small).max(axis=-1) > 0)
    bent = bending(small, solid, camera.towards_eye(*size))
    return 1 / (1 + (bent / BENT) ** 2)


def unit(vectors: Float32[np.ndarray, "*N 3"]) -> Float32[np.ndarray, "*N 3"]:
    """Vectors at length one; zero where they are shorter than 1e-3."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 1e-3, vectors / np.maximum(length, 1e-3), 0).astype(np.float32)


def _reduced(fine: Float32[np.ndarray, "H W 3"], size: tuple[int, int]) -> Float32[np.ndarray, "h w 3"]:
    """Block means, or the block's middle normal where the means would blur an edge."""
    mean = resized(fine, size)
    blocks = fine.shape[0] // size[0]
    middle = fine[blocks // 2 :: blocks, blocks // 2 :: blocks]
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    keeps_middle = (length < AGREE) & (np.abs(middle).max(axis=-1, keepdims=True) > 0)
    return unit(np.where(keeps_middle, middle, mean))


def _jumps(local: Float32[np.ndarray, "H W 3"], blocks: int, axis: int) -> Float32[np.ndarray, "h w 2"]:
    """The cues of the edges along one axis (1: to the right, 0: down), from camera-frame normals."""
    sideways = local[..., 0] if axis == 1 else -local[..., 1]
    low, high = RIM_TILT
    ahead = np.clip((sideways - low) / (high - low), 0, 1)
    behind = np.clip((-sideways - low) / (high - low), 0, 1)
    turn = 1 - (_shifted(local, -1, axis) * _shifted(local, 2, axis)).sum(axis=-1)
    turn = np.clip(turn / TURN, 0, 1)
    to_farther = np.maximum(np.maximum(ahead, _shifted(ahead, -1, axis)), CREASE) * turn
    to_nearer = np.maximum(np.maximum(_shifted(behind, 1, axis), _shifted(behind, 2, axis)), CREASE) * turn
    return np.stack([_pooled(cue, blocks, axis) for cue in (to_farther, to_nearer)], axis=-1)


def _shifted(image: np.ndarray, steps: int, axis: int) -> np.ndarray:
    """`image` at position + steps along an axis, its border repeated."""
    place = np.clip(np.arange(image.shape[axis]) + steps, 0, image.shape[axis] - 1)
    return np.take(image, place, axis=axis)


def _pooled(cue: Float32[np.ndarray, "H W"], blocks: int, axis: int) -> Float32[np.ndarray, "h w"]:
    """Edges between block centres: the largest cue on the way, and the median of the parallel ways."""
    lines = cue if axis == 1 else cue.T
    height, width = lines.shape
    ways = _shifted(lines, blocks // 2, 1).reshape(height, width // blocks, blocks).max(axis=2)
    pooled = np.sort(ways.reshape(height // blocks, blocks, -1), axis=1)[:, blocks // 2]
    return pooled if axis == 1 else pooled.T
