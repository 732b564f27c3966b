"""Which encoding the normal maps use, decided from the pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.frames import wording
from meshopt.frames.encoding import NormalEncoding, check_frame, decode, parse_axes
from meshopt.frames.evidence import observe
from meshopt.frames.survey import WEAK, Choice, Score, Survey, choose, survey

DECAY = 0.03  # the lead at which the confidence is 1 - 1/e
FIT = 0.95  # share of normals that face the camera below which the confidence sinks


@dataclass(frozen=True)
class Detection:
    """The encoding found, how sure that is (0 to 1), the scores (best first), and one sentence."""

    encoding: NormalEncoding
    confidence: float
    scores: tuple[Score, ...]
    sentence: str


@dataclass(frozen=True, eq=False)
class Resolved:
    """World normals [V, H, W, 3], unit inside the masks and zero outside, and how they were read."""

    normals: Float32[np.ndarray, "V H W 3"]
    encoding: NormalEncoding
    confidence: float
    sentence: str


def _look(vectors: np.ndarray, masks: np.ndarray, cameras: Sequence[Camera]) -> Survey:
    if vectors.shape != (*masks.shape, 3) or len(cameras) != len(masks) or len(masks) == 0:
        raise InputError(
            f"normal maps {vectors.shape}, masks {masks.shape} and {len(cameras)} cameras do not belong "
            "together: expected [V, H, W, 3], [V, H, W] and V >= 1 cameras."
        )
    observations = [observe(v, m, c) for v, m, c in zip(vectors, masks, cameras, strict=True)]
    if not any(len(o.facing) for o in observations):
        raise InputError(
            f"none of the {len(masks)} normal maps has a usable normal inside its mask: expected an object "
            "on a background; check what --normals holds."
        )
    return survey(observations, cameras)


def _confidence(found: Survey, choice: Choice) -> float:
    """From the lead over the best other answer; at most 0.5 where the documentation decided."""
    facing = found.scores[choice.index].facing
    sure = 1.0 - math.exp(-max(choice.lead, 0.0) / DECAY)
    sure *= min(1.0, max(0.0, (facing - 0.5) / (FIT - 0.5)))
    return min(sure, 0.5) if choice.documented == "decides" else sure


def _documented(native: NormalEncoding | str | None, frame: str, axes: str) -> NormalEncoding | None:
    """What the documentation says of the part that the user did not give."""
    if native is None:
        return None
    own = NormalEncoding(check_frame(native)) if isinstance(native, str) else native
    return NormalEncoding(own.frame if frame == "auto" else check_frame(frame), own.axes if axes == "auto" else axes)


def detect(
    vectors: Float[np.ndarray, "V H W 3"],
    masks: Float[np.ndarray, "V H W"],
    cameras: Sequence[Camera],
    frame: str = "auto",
    axes: str = "auto",
    native: NormalEncoding | str | None = None,
) -> Detection:
    """The encoding of stored vectors, chosen from 48 signed axis permutations in three frames.

    `vectors` may have any length; `masks` in [0, 1]. `frame` and `axes` other than 'auto' narrow the
    choice. `native` is what the rig documents (a frame alone means OpenGL axes): it decides between answers
    that the pictures hardly tell apart, and is overruled where they do. Raises InputError where no normals
    are inside the masks, where nothing fits, and where two answers fit equally well, decode differently and
    `native` does not decide. Where both frame and axes are given they are taken, and the sentence says what
    the pictures think of them.
    """
    frame = frame if frame == "auto" else check_frame(frame)
    axes = axes if axes == "auto" else parse_axes(axes)
    documented = _documented(native, frame, axes)
    found = _look(vectors, masks, cameras)
    encodings = [score.encoding for score in found.scores]
    allowed = np.array([frame in ("auto", e.frame) and axes in ("auto", e.axes) for e in encodings])
    ranked = sorted((s for s, a in zip(found.scores, allowed, strict=True) if a), key=lambda s: -s.total)
    if len(ranked) == 1:
        sentence = wording.given_sentence(found, int(np.argmax(allowed)), cameras)
        return Detection(ranked[0].encoding, 1.0, tuple(ranked), sentence)
    choice = choose(found, allowed, documented)
    score = found.scores[choice.index]
    if not score.fits or (choice.tied and score.total < WEAK):
        raise InputError(wording.unfit_sentence(score))
    if choice.tied and choice.rival is not None:
        raise InputError(wording.tied_sentence(score, found.scores[choice.rival]))
    confidence = _confidence(found, choice)
    sentence = wording.found_sentence(found, choice, documented, confidence, cameras)
    return Detection(score.encoding, confidence, tuple(ranked), sentence)


def resolve(
    vectors: Float[np.ndarray, "V H W 3"],
    masks: Float[np.ndarray, "V H W"],
    cameras: Sequence[Camera],
    frame: str = "auto",
    axes: str = "auto",
    native: NormalEncoding | str | None = None,
) -> Resolved:
    """World normals from stored vectors: `detect` what is 'auto', then `decode`. Raises as `detect` does."""
    found = detect(vectors, masks, cameras, frame, axes, native)
    normals = decode(vectors, masks, cameras, found.encoding)
    return Resolved(normals, found.encoding, found.confidence, found.sentence)
