"""What the three stored channels of a normal map mean: the frame, and the axes' order and signs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float32, UInt8

from meshopt.cameras import Camera
from meshopt.errors import InputError

Frame = Literal["camera", "front", "world"]
FRAMES: tuple[Frame, ...] = get_args(Frame)

# What the channels R, G, B hold; x right, y up, z towards the viewer.
NAMED_AXES: dict[str, str] = {
    "opengl": "+x+y+z",
    "opencv": "+x-y-z",
    "directx": "+x-y+z",
    "pytorch3d": "-x+y-z",
    "lefthanded": "+x+y-z",
    "blender": "+x-z+y",  # a z-up world: X right, Y away from the front camera, Z up
}
NO_DIRECTION = 0.1  # a shorter stored vector says nothing (unit vectors have length 1)


def check_frame(text: str) -> Frame:
    """`text` as a frame. Raises InputError where it is none."""
    for frame in FRAMES:
        if text == frame:
            return frame
    raise InputError(f"--normal-frame {text!r} is unknown: expected auto, {', '.join(FRAMES[:-1])} or {FRAMES[-1]}.")


def parse_axes(text: str) -> str:
    """The name of an axis convention, or its spelling such as '+x-z+y' where it has no name.

    Raises InputError where `text` is neither.
    """
    word = text.strip().lower().replace(" ", "").replace(",", "")
    if word in NAMED_AXES:
        return word
    spelled = word if len(word) == 6 else "".join(c if c in "+-" else "+" + c for c in word).replace("-+", "-")
    spelled = spelled.replace("++", "+")
    letters, signs = spelled[1::2], spelled[0::2]
    if len(spelled) != 6 or sorted(letters) != ["x", "y", "z"] or not set(signs) <= set("+-"):
        raise InputError(
            f"--normal-axes {text!r} is no axis convention: expected one of {', '.join(NAMED_AXES)}, auto, "
            "or what red, green and blue hold, such as +x-y+z (x right, y up, z towards the viewer)."
        )
    return next((name for name, value in NAMED_AXES.items() if value == spelled), spelled)


@lru_cache(maxsize=48)
def _matrix(spelling: str) -> np.ndarray:
    m = np.zeros((3, 3))
    for channel in range(3):
        sign, letter = spelling[2 * channel], spelling[2 * channel + 1]
        m[channel, "xyz".index(letter)] = 1.0 if sign == "+" else -1.0
    m.setflags(write=False)
    return m


@dataclass(frozen=True)
class NormalEncoding:
    """The frame of the stored vectors, and what the stored channels hold.

    `frame`: 'camera' is each view's own frame (x right, y up, z towards the viewer), 'front' that of the
    front camera for every view, 'world' the world. `axes`: a name, or a spelling such as '+x-y+z': red
    holds x, green holds -y, blue holds z. Raises InputError for an unknown word.
    """

    frame: Frame = "camera"
    axes: str = "opengl"

    def __post_init__(self) -> None:
        check_frame(self.frame)
        object.__setattr__(self, "axes", parse_axes(self.axes))

    @property
    def spelling(self) -> str:
        """The axes spelled out, such as '+x-y+z'."""
        return NAMED_AXES.get(self.axes, self.axes)

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        """The signed permutation: stored = matrix @ (x, y, z)."""
        return _matrix(self.spelling)

    def __str__(self) -> str:
        spelled = f" ({self.spelling})" if self.axes in NAMED_AXES else ""
        return f"{self.frame} frame, axes {self.axes}{spelled}"


@lru_cache(maxsize=1)
def all_encodings() -> tuple[NormalEncoding, ...]:
    """All 144: the 48 signed permutations in each frame, the commonest first."""
    spelled = (
        "".join(s + c for s, c in zip(signs, letters, strict=True))
        for letters in itertools.permutations("xyz")
        for signs in itertools.product("+-", repeat=3)
    )
    axes = list(dict.fromkeys([*NAMED_AXES, *(parse_axes(s) for s in spelled)]))
    return tuple(NormalEncoding(frame, a) for a in axes for frame in ("world", "front", "camera"))


def front_view(cameras: Sequence[Camera]) -> int:
    """Index of the front view: the one named 'front', else the camera nearest to azimuth 0, elevation 0."""
    for i, camera in enumerate(cameras):
        if camera.name == "front":
            return i
    return int(np.argmax([camera.rotation[2, 2] for camera in cameras]))


def frame_to_world(cameras: Sequence[Camera], frame: Frame) -> Float[np.ndarray, "V 3 3"]:
    """Rotations that take vectors of `frame` (x right, y up, z towards the viewer) to the world, per view."""
    if frame == "world":
        return np.broadcast_to(np.eye(3), (len(cameras), 3, 3)).copy()
    if frame == "front":
        turn = cameras[front_view(cameras)].rotation.T
        return np.broadcast_to(turn, (len(cameras), 3, 3)).copy()
    return np.stack([camera.rotation.T for camera in cameras])


def decode(
    vectors: Float[np.ndarray, "V H W 3"],
    masks: Float[np.ndarray, "V H W"],
    cameras: Sequence[Camera],
    encoding: NormalEncoding,
) -> Float32[np.ndarray, "V H W 3"]:
    """Unit normals in the world frame from stored vectors of any length.

    Zero where the mask is 0 and where the stored vector is too short (below 0.1) to have a direction.
    """
    turn = (frame_to_world(cameras, encoding.frame) @ encoding.matrix.T).astype(np.float32)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    seen = (length >= NO_DIRECTION) & (masks[..., None] > 0)
    unit = np.where(seen, vectors / np.maximum(length, NO_DIRECTION), 0.0).astype(np.float32)
    return np.einsum("vij,vhwj->vhwi", turn, unit)


def encode(
    normals: Float[np.ndarray, "V H W 3"], cameras: Sequence[Camera], encoding: NormalEncoding
) -> Float32[np.ndarray, "V H W 3"]:
    """World normals to stored vectors in [-1, 1]: the inverse of `decode`."""
    turn = encoding.matrix @ frame_to_world(cameras, encoding.frame).transpose(0, 2, 1)
    return np.einsum("vij,vhwj->vhwi", turn.astype(np.float32), normals.astype(np.float32))


def to_colours(vectors: Float[np.ndarray, "*S 3"]) -> UInt8[np.ndarray, "*S 3"]:
    """Stored vectors in [-1, 1] to 8-bit colours, round(255 (n / 2 + 1 / 2)); the zero vector reads 128."""
    return np.floor(255.0 * np.clip(vectors * 0.5 + 0.5, 0.0, 1.0) + 0.5).astype(np.uint8)
