"""What mesh files say of the colour of their parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from meshopt.io.encoded_images import EncodedImage

Wrap = Literal["repeat", "mirror", "clamp"]


@dataclass(frozen=True)
class Material:
    """A base colour: an image, if any, times `factor` (linear light, RGB).

    `wrap`: how the image goes on beyond its edges, across and down. `clear`: the material is not opaque by what the
    file says, be it by its image (`see_through`: where that has alpha) or as a whole.
    """

    name: str = ""
    image: EncodedImage | None = None
    factor: tuple[float, float, float] = (1.0, 1.0, 1.0)
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    clear: bool = False
    see_through: bool = False


PLAIN = Material()
