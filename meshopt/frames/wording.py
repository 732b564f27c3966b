"""The sentences about an encoding: found, given, tied, unfit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshopt.cameras import Camera
from meshopt.frames.encoding import FRAMES, NormalEncoding
from meshopt.frames.survey import FACING, OVERRULE, Choice, Score, Survey

BEHIND = 0.08  # a view does not fit whose share of facing normals lies this far below the middle view's


def _flags(encoding: NormalEncoding) -> str:
    return f"--normal-frame {encoding.frame} --normal-axes={encoding.axes}"


def _evidence(score: Score) -> str:
    words = [f"{score.facing:.0%} of the normals face their camera"]
    if score.rim == score.rim:
        words.append(f"at the outline they point outward by {2 * score.rim - 1:+.2f} of 1")
    if score.curl == score.curl:
        words.append(f"their slopes fit together by {score.curl:.2f} of 1")
    return ", ".join(words)


def _equal_frames(found: Survey, index: int) -> str:
    """The frames that mean the same here, in brackets."""
    chosen, same = found.scores[index].encoding, found.same(index)
    others = [f for f in FRAMES if f != chosen.frame and same[found.index(NormalEncoding(f, chosen.axes))]]
    if not others:
        return ""
    return f" (the {' and '.join(others)} frame{'s mean' if len(others) > 1 else ' means'} the same here)"


def _misfits(found: Survey, index: int, cameras: Sequence[Camera]) -> str:
    """The views whose normals look away from their cameras."""
    shares = found.facing[:, index]
    least = max(FACING, float(np.nanmedian(shares)) - BEHIND)
    bad = [f"{c.name!r} ({s:.0%} face the camera)" for c, s in zip(cameras, shares, strict=True) if s < least]
    return f"; but view{'s' if len(bad) > 1 else ''} {', '.join(bad)} did not fit" if bad else ""


def found_sentence(
    found: Survey, choice: Choice, native: NormalEncoding | None, confidence: float, cameras: Sequence[Camera]
) -> str:
    """What was chosen, why, how surely, and what the rig documents."""
    score = found.scores[choice.index]
    text = f"normals read as {score.encoding}{_equal_frames(found, choice.index)}, confidence {confidence:.2f}: "
    text += _evidence(score)
    if choice.rival is not None:
        rival = found.scores[choice.rival]
        text += f"; score {score.total:.2f}, best other {rival.encoding} {rival.total:.2f}"
    if choice.documented == "agrees":
        text += "; as the rig documents"
    elif choice.documented == "decides":
        text += "; the pictures do not tell these two apart, so the rig's documentation decided"
    elif choice.documented == "overruled" and native is not None:
        own = found.scores[found.index(native)]
        text += f"; the rig documents {native}, but the pictures contradict it (score {own.total:.2f})"
    return text + _misfits(found, choice.index, cameras) + "."


def given_sentence(found: Survey, index: int, cameras: Sequence[Camera]) -> str:
    """What the user gave, and whether the pictures fit something else much better."""
    best = max(range(len(found.scores)), key=lambda i: found.scores[i].total)
    score, other = found.scores[index], found.scores[best]
    text = f"normals read as {score.encoding}, as given: {_evidence(score)}"
    if not found.same(index)[best] and other.total - score.total > OVERRULE:
        text += f"; but the pictures fit {other.encoding} better "
        text += f"(score {other.total:.2f} against {score.total:.2f})"
    return text + _misfits(found, index, cameras) + "."


def tied_sentence(a: Score, b: Score) -> str:
    """Why no choice was made between two answers."""
    return (
        f"the normal maps fit two conventions equally well, {a.encoding} (score {a.total:.3f}) and "
        f"{b.encoding} ({b.total:.3f}), which decode differently: give {_flags(a.encoding)} or "
        f"{_flags(b.encoding)}."
    )


def unfit_sentence(score: Score) -> str:
    """Why the maps are no normal maps of these cameras."""
    return (
        f"the normal maps fit no convention: the best, {score.encoding}, scores {score.total:.2f} ("
        f"{_evidence(score)}), expected 0.7 or more with nearly all facing and outward; check that --normals "
        "holds normal maps and that --rig has their order, or give --normal-frame and --normal-axes."
    )
