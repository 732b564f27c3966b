"""From views to a texture: every texel looks at its point of the surface in all views."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from meshopt.colorspace import linear_to_srgb, srgb_to_linear
from meshopt.errors import InputError
from meshopt.texturing.filling import fill
from meshopt.texturing.lattice import Lattice
from meshopt.texturing.levelling import blended, corrections, gains
from meshopt.texturing.observation import Observation, Observer
from meshopt.texturing.texels import Texels

SHARPNESS = 4  # power of the weights that detail is blended with
KNOWN = 0.05  # sum over the views of how sure they are, from which on a colour is taken as it is; less of it fades
MOSTLY = 0.5  # of a colour
LEVEL_RADIUS = 0.08  # scene units: how far around a point views are levelled
NOWHERE, FILLED, FIRST_VIEW = 0, 1, 2  # values of the map of sources


@dataclass(frozen=True)
class Levels:
    """What makes the views agree, at the points of a lattice, and what is filled in; linear light.

    `exposure` is each view's gain, `trust` how much it counts (1 is usual), `ratio` what its colours, times exposure,
    are to be multiplied with; `filled` are the colours that the texture fades into where all views together are less
    sure than `known`. `seen` is the share of the surface's area whose colours are mostly views'.
    """

    exposure: Float[np.ndarray, "V 3"]
    trust: Float[np.ndarray, " V"]
    ratio: Float32[np.ndarray, "V P 3"]
    filled: Float[np.ndarray, "P 3"]
    known: float
    seen: float


@dataclass(frozen=True)
class Baked:
    """A texture and where it comes from. `linear` is linear light, meaningful where `source` is not 0.

    `source`: 0 where there is no surface, 1 where the colour is mostly filled in, 2 + k where view k has the largest
    share. `confidence`: from 0, filled in, to 255, seen frontally, far from borders.
    """

    linear: Float32[np.ndarray, "T T 3"]
    source: UInt8[np.ndarray, "T T"]
    confidence: UInt8[np.ndarray, "T T"]


def find_levels(lattice: Lattice, observer: Observer, trust: Float[np.ndarray, " V"]) -> Levels:
    """Evens out the views of a surface, and fills in what none sees. Raises InputError where none sees anything."""
    seen = observer.at(lattice.points, lattice.normals)
    exposure = gains(seen)
    seen = _scaled(seen, trust, exposure)
    consensus, total = blended(seen.weight, seen.color), seen.sure.sum(0)
    adjacency = lattice.adjacency()
    ratio = corrections(seen, consensus, adjacency, _diffusion_time(lattice, LEVEL_RADIUS))
    if not total.any():
        raise InputError("no view sees the surface of the mesh from its front: check the cameras (--rig)")
    known = min(KNOWN, float(total.max()) / 2)
    filled = fill(consensus, total > known, adjacency, lattice.points)
    return Levels(exposure, trust, ratio, filled, known, lattice.share(total > MOSTLY * known))


def bake(lattice: Lattice, observer: Observer, levels: Levels, texels: Texels) -> Baked:
    """The texture: detail from the view that sees a point best, levelled; filled in where none does."""
    point = np.concatenate([lattice.points, lattice.normals, levels.filled, *levels.ratio], axis=1).astype(np.float32)
    attributes = torch.from_numpy(point[lattice.point_of])

    def band(top: int, bottom: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inside, values = texels.at(attributes, top, bottom)
        values = values[inside]
        ratio = values[:, 9:].reshape(len(values), len(levels.trust), 3).transpose(1, 0, 2)
        seen = _scaled(observer.at(values[:, :3], unit(values[:, 3:6])), levels.trust, levels.exposure, ratio)
        mixed = blended(sharpened(seen.weight), seen.color)
        share = np.clip(seen.sure.sum(0) / levels.known, 0, 1)[:, None]
        images = (
            np.zeros((*inside.shape, 3), np.float32),
            np.zeros(inside.shape, np.uint8),
            np.zeros(inside.shape, np.uint8),
        )
        images[0][inside] = np.clip(share * mixed + (1 - share) * values[:, 6:9], 0, 1)
        shown = share[:, 0] > MOSTLY
        images[1][inside] = np.where(shown, FIRST_VIEW + seen.weight.argmax(0), FILLED)
        images[2][inside] = np.where(shown, np.round(255 * seen.sure.max(0)), 0)
        return images

    return Baked(*texels.bands(band, point.shape[1]))


def sharpened(weight: Float32[np.ndarray, "V P"]) -> Float32[np.ndarray, "V P"]:
    """Weights with which the strongest view all but wins."""
    return (weight / np.maximum(weight.max(0), 1e-12)) ** SHARPNESS


def unit(vectors: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    """The vectors at length 1, or 0."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


_SRGB = np.round(255 * linear_to_srgb(np.linspace(0, 1, 2**16))).astype(np.uint8)  # of linear light in 16 bits


def linear_images(rgb: Float[Tensor, "V H W 3"]) -> Float32[np.ndarray, "V H W 3"]:
    """sRGB images in linear light."""
    return srgb_to_linear(rgb.detach().cpu().float().clamp(0, 1).numpy()).astype(np.float32)


def srgb_bytes(linear: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Linear light in [0, 1] as 8-bit sRGB."""
    return _SRGB[np.round(linear * (len(_SRGB) - 1)).astype(np.uint16)]


def _scaled(seen: Observation, trust: np.ndarray, exposure: np.ndarray, ratio: np.ndarray | float = 1.0) -> Observation:
    """The views' weights by trust, their colours by exposure and ratio."""
    return replace(seen.trusted(trust), color=seen.color * exposure[:, None].astype(np.float32) * np.float32(ratio))


def _diffusion_time(lattice: Lattice, radius: float) -> float:
    """How long values have to diffuse over the edges to spread by `radius` (standard deviation)."""
    f = lattice.faces
    step = float(np.linalg.norm(lattice.points[f[:, 0]] - lattice.points[f[:, 1]], axis=1).mean())
    return min((radius / max(step, 1e-9)) ** 2, 200.0)
