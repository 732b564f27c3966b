"""The camera layouts of the sample sets, and the file names their generators use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

PERSPECTIVE_FOV = 30.0  # degrees, Zero123++ v1.2


@dataclass(frozen=True)
class View:
    """One camera that looks at the origin: degrees, scene units, and file names inside the set.

    `half` is an orthographic camera's half extent; `fov` (full angle) and `distance` a perspective one's.
    `frame` says in which axes the normal map is written. `tile` is the (row, column) in a sheet.
    """

    name: str
    rgb: str
    normal: str
    azimuth: float
    elevation: float = 0.0
    half: float | None = 1.0
    fov: float | None = None
    distance: float | None = None
    frame: Literal["world", "camera"] = "world"
    tile: tuple[int, int] | None = None

    def axes(self) -> np.ndarray:
        """The camera's right, up and back axes in the world, as rows."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        ca, sa, ce, se = (round(f(t), 15) + 0.0 for t in (a, e) for f in (math.cos, math.sin))
        return np.array([[ca, 0.0, -sa], [-sa * se, ce, -ca * se], [sa * ce, se, ca * ce]])

    def matrix(self) -> np.ndarray:
        """The axes, and a fourth row (half extent or tangent of half the field of view, distance or 0, 0)."""
        last = [self.half, 0.0, 0.0] if self.fov is None else [math.tan(math.radians(self.fov) / 2), self.distance, 0.0]
        return np.concatenate([self.axes(), [last]])

    def record(self) -> dict[str, object]:
        """This view's entry in cameras.json."""
        entry: dict[str, object] = {
            "name": self.name,
            "rgb": self.rgb,
            "normal": self.normal,
            "azimuth": self.azimuth,
            "elevation": self.elevation,
            "type": "ortho" if self.fov is None else "persp",
        }
        entry |= {"half": self.half} if self.fov is None else {"fov": self.fov, "distance": self.distance}
        entry["frame"] = self.frame
        if self.tile is not None:
            entry["tile"] = list(self.tile)
        return entry


@dataclass(frozen=True)
class Rig:
    """A camera layout; `sheet` = (rows, columns) where all views are written as one picture."""

    name: str
    views: tuple[View, ...]
    sheet: tuple[int, int] | None = None


WONDER3D = (
    ("front", 0),
    ("front_right", 45),
    ("right", 90),
    ("back", 180),
    ("left", 270),
    ("front_left", 315),
)


def rig(name: str, radius: float) -> Rig:
    """A rig by name, for an object that fits the sphere of `radius` (scene units) about the origin."""
    if name == "unique3d":
        files = [f"{k:03d}.png" for k in range(4)]
        return Rig(name, tuple(View(f[:3], f, f, 90.0 * k) for k, f in enumerate(files)))
    if name == "wonder3d":
        return Rig(name, tuple(View(v, f"rgb_000_{v}.png", f"normals_000_{v}.png", float(a)) for v, a in WONDER3D))
    if name == "zero123plus":
        distance = round(radius / math.tan(math.radians(PERSPECTIVE_FOV) / 2), 4)
        views = tuple(
            View(
                f"{k:03d}",
                "colors.png",
                "normals.png",
                30.0 + 60.0 * k,
                (20.0, -10.0)[k % 2],
                half=None,
                fov=PERSPECTIVE_FOV,
                distance=distance,
                frame="camera",
                tile=(k // 2, k % 2),
            )
            for k in range(6)
        )
        return Rig(name, views, (3, 2))
    raise ValueError(f"no rig {name!r}")
