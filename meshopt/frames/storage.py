"""How a picture stores vectors: coded colours or plain numbers, what lies under the edge pixels, rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from meshopt.errors import InputError

BACKGROUNDS = {"black": 0.0, "grey": 0.5, "white": 1.0}
TOO_LONG = 1.35  # no unit vector, however badly compressed; black and white backgrounds read 1.73
TOO_SHORT = 0.15  # grey background, which reads 0
EDGE = (0.15, 0.85)  # alphas at which the edge pixels tell what they are blended with
FEW = 24  # edge pixels; fewer tell nothing
CLEAR = 0.6  # an explanation of the edge pixels must bring their error below this share of the plain one's
HALF_STEP = 1.0 / 255.0  # in a vector's component, of 8 bits


@dataclass(frozen=True)
class Storage:
    """How one picture stores its vectors.

    `coded`: colours in [0, 1], vector = 2 colour - 1 (else the numbers are the vectors). `blend`: the
    background ('black' = premultiplied, 'grey', 'white') mixed into pixels of partial alpha, or None
    (straight alpha). `truncated`: 8-bit values were cut off, not rounded, so that every component is half a
    step too small.
    """

    coded: bool
    blend: str | None = None
    truncated: bool = False

    @property
    def sentence(self) -> str:
        """What is remarkable about it; empty where nothing is."""
        words = []
        if self.blend is not None:
            words.append(f"edge pixels are blended with {self.blend}, which was undone")
        if self.truncated:
            words.append("8-bit values are truncated, so half a step was added")
        return f"normal map: {'; '.join(words)}." if words else ""


def _is_coded(image: np.ndarray) -> bool:
    """Whether numbers are colours in [0, 1] rather than vectors in [-1, 1]: a colour is never negative."""
    low, high = float(image.min(initial=0.0)), float(image.max(initial=0.0))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            f"a normal map holds {int((~np.isfinite(image).all(axis=-1)).sum())} pixels that are NaN or "
            "infinite: expected numbers in [-1, 1] or colours in [0, 1]."
        )
    if low < -1.5 or high > 1.5:
        raise InputError(
            f"a normal map holds values from {low:.3g} to {high:.3g}: expected vectors in [-1, 1] or colours in [0, 1]."
        )
    return low > -1e-3


def _unblend(image: np.ndarray, alpha: np.ndarray, background: float) -> np.ndarray:
    a = np.maximum(alpha, 0.05)[..., None]
    return np.clip((image - (1.0 - a) * background) / a, 0.0, 1.0)


def _blend(image: np.ndarray, alpha: np.ndarray) -> str | None:
    """What the pixels of partial alpha are mixed with, judged by the length of their vectors."""
    edge = (alpha > EDGE[0]) & (alpha < EDGE[1])
    solid = alpha > 0.99
    if edge.sum() < FEW or not solid.any():
        return None
    usual = float(np.median(np.linalg.norm(2.0 * image[solid] - 1.0, axis=-1)))

    def error(colours: np.ndarray) -> float:
        return float(np.abs(np.linalg.norm(2.0 * colours - 1.0, axis=-1) - usual).mean())

    colours, a = image[edge], alpha[edge]
    errors = {name: error(_unblend(colours, a, value)) for name, value in BACKGROUNDS.items()}
    best = min(errors, key=lambda name: errors[name])
    return best if errors[best] < CLEAR * error(colours) else None


def _truncated(image: np.ndarray, solid: np.ndarray) -> bool:
    """Whether unit vectors were cut off to 8 bits: then |v|^2 - 1 falls with the sum of the components."""
    v = 2.0 * image[solid].astype(np.float64) - 1.0
    levels = image[solid] * 255.0
    if len(v) < 200 or np.abs(levels - np.round(levels)).max() > 0.01:
        return False
    excess, total = (v**2).sum(axis=-1) - 1.0, v.sum(axis=-1)
    if np.median(np.abs(excess)) > 4 * HALF_STEP or total.std() < 0.05:
        return False
    slope = float((total * excess).sum() / (total**2).sum())
    return slope < -HALF_STEP  # rounded: 0; truncated: -2 HALF_STEP


def inspect(image: Float[np.ndarray, "H W 3"], alpha: Float[np.ndarray, "H W"] | None = None) -> Storage:
    """How a picture stores its vectors, judged from its values.

    Any negative number makes it plain vectors, else it is coded colours. Raises InputError for NaN, infinity
    and numbers outside [-1.5, 1.5] where alpha is not 0.
    """
    seen = image if alpha is None else image[alpha > 0]
    if not _is_coded(seen):
        return Storage(coded=False)
    blend = None if alpha is None else _blend(image, alpha)
    length = np.linalg.norm(2.0 * image - 1.0, axis=-1)
    solid = (length > TOO_SHORT) & (length < TOO_LONG) if alpha is None else alpha > 0.995
    return Storage(True, blend, _truncated(image, solid))


def to_vectors(
    image: Float[np.ndarray, "H W 3"],
    alpha: Float[np.ndarray, "H W"] | None = None,
    storage: Storage | None = None,
) -> Float32[np.ndarray, "H W 3"]:
    """Stored vectors, not normalised, zero on the background.

    `image`: colours in [0, 1], or plain vectors in [-1, 1]; `alpha` in [0, 1], where 0 is background;
    `storage`: what `inspect` found, found here by default. Without alpha, coded black, white and mid-grey
    pixels are background. Raises as `inspect` does.
    """
    how = inspect(image, alpha) if storage is None else storage
    outside = np.zeros(image.shape[:2], bool) if alpha is None else alpha <= 0
    image = np.where(outside[..., None], 0.5, image).astype(np.float32)
    if not how.coded:
        return np.where(outside[..., None], 0.0, image).astype(np.float32)
    if how.blend is not None and alpha is not None:
        image = _unblend(image, alpha, BACKGROUNDS[how.blend])
    vectors = 2.0 * image - 1.0 + (HALF_STEP if how.truncated else 0.0)
    if alpha is None:
        length = np.linalg.norm(vectors, axis=-1)
        outside = (length < TOO_SHORT) | (length > TOO_LONG)
    return np.where(outside[..., None], 0.0, vectors).astype(np.float32)
