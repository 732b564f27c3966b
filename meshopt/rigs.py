"""Rigs: named camera layouts of multi-view generators, one YAML file each in `configs/rigs/`."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from meshopt.cameras import Camera, Projection
from meshopt.errors import InputError
from meshopt.frames import Frame

_STRICT = ConfigDict(extra="forbid", use_attribute_docstrings=True)
_Count = Annotated[int, Field(ge=1)]
_Degrees = Annotated[float, Field(ge=-360, le=360)]
_Positive = Annotated[float, Field(gt=0)]
MAX_TURNTABLE = 720


@dataclass(frozen=True)
class RigView:
    """One place of a rig: its name, other names that files use for it, and where the camera stands
    (degrees).
    """

    __pydantic_config__ = _STRICT

    name: str
    azimuth: _Degrees
    elevation: Annotated[float, Field(ge=-90, le=90)] = 0.0
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The name and the aliases."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class WrittenFiles:
    """How pictures of a rig are written, as its generator does.

    `rgb` and `normals` are files' names without suffix; {view} and {index} stand for a view's name and its number in
    three digits.

    `sheet`: (rows, columns) of the one picture that shows all views; the names are then those of the sheets. `nothing`:
    what normal maps show around the object, black, or the grey of the zero vector.
    """

    __pydantic_config__ = _STRICT

    rgb: str = "{view}"
    normals: str = "{view}"
    sheet: tuple[_Count, _Count] | None = None
    nothing: Literal["black", "grey"] = "black"


@dataclass(frozen=True)
class Rig:
    """A camera layout. All cameras look at the origin with +Y up.

    `half_extent` (scene units) belongs to an orthographic rig, `fov` (full angle, degrees) and `distance`
    (scene units; by default the unit sphere just fits) to a perspective one. `normal_frame` is the frame in
    which its generator stores normals. `sheets` are the (rows, columns) of its grid images, row-major, the
    usual one first. `files` are the generator's file names without suffix, where {view} and {index} stand for
    a view's name and for digits; `written` are those that `meshopt render` gives. `automatic`: may be chosen by
    `--rig auto`; of several with the same cameras the one whose file names fit, then the lowest `rank`.
    """

    __pydantic_config__ = _STRICT

    name: str
    title: str
    projection: Projection
    views: Annotated[tuple[RigView, ...], Field(min_length=1)]
    half_extent: _Positive = 1.0
    fov: Annotated[float, Field(gt=0, lt=180)] | None = None
    distance: _Positive | None = None
    normal_frame: Frame = "front"
    sheets: tuple[tuple[_Count, _Count], ...] = ()
    files: tuple[str, ...] = ()
    written: WrittenFiles = WrittenFiles()
    aliases: tuple[str, ...] = ()
    automatic: bool = True
    rank: int = 0
    notes: str = field(default="", compare=False)

    def cameras(self) -> tuple[Camera, ...]:
        """The rig's cameras in its nominal order."""
        fov = self.fov if self.projection == "perspective" else None
        return tuple(
            Camera.orbit(
                view.name,
                view.azimuth,
                view.elevation,
                half_extent=self.half_extent,
                fov=fov,
                distance=self.distance,
            )
            for view in self.views
        )

    def same_cameras(self, other: Rig) -> bool:
        """Whether the two rigs differ in name only: equal cameras in equal order and the same frame of
        normals.
        """

        def essence(rig: Rig) -> tuple[object, ...]:
            places = tuple((view.azimuth % 360, view.elevation) for view in rig.views)
            return places, rig.projection, rig.half_extent, rig.fov, rig.distance, rig.normal_frame

        return essence(self) == essence(other)

    def matches_files(self, stems: list[str]) -> bool:
        """Whether every file is named the way this rig's generator names them."""
        names = "|".join(re.escape(name) for view in self.views for name in view.names)
        patterns = [
            re.compile(re.escape(text).replace(r"\{view\}", f"(?:{names})").replace(r"\{index\}", r"\d+"))
            for text in self.files
        ]
        return bool(patterns) and all(any(p.fullmatch(stem) for p in patterns) for stem in stems)


def validated_rig(name: str, settings: object) -> Rig:
    """A rig from parsed YAML. Raises InputError that names the key, what was found and what was expected."""
    if not isinstance(settings, dict):
        raise InputError(f"rig {name}: found {type(settings).__name__}, expected a mapping of settings.")
    try:
        rig = TypeAdapter(Rig).validate_python({"name": name, **settings})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"rig {name}: {where}: {first['msg']}, found {first['input']!r}.") from error
    if rig.projection == "perspective" and rig.fov is None:
        raise InputError(f"rig {name}: a perspective rig needs fov, the full field of view in degrees.")
    if len({view.name for view in rig.views}) < len(rig.views):
        raise InputError(f"rig {name}: two of its views have the same name.")
    if any(rows * columns != len(rig.views) for rows, columns in rig.sheets):
        raise InputError(f"rig {name}: sheets: rows times columns must be its number of views, {len(rig.views)}.")
    if rig.written.sheet is not None and rig.written.sheet not in rig.sheets:
        raise InputError(f"rig {name}: written.sheet is {list(rig.written.sheet)}, expected one of its sheets.")
    return rig


@lru_cache(maxsize=1)
def presets() -> dict[str, Rig]:
    """Every rig in `configs/rigs/`, by name."""
    folder = resources.files("meshopt.configs") / "rigs"
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name.removesuffix(".yaml")):
        if entry.name.endswith(".yaml"):
            name = entry.name.removesuffix(".yaml")
            found[name] = validated_rig(name, yaml.safe_load(entry.read_text(encoding="utf-8")))
    return found


def load_rig(name: str) -> Rig:
    """The preset of that name, or `turntable:N`. Raises InputError that lists what there is."""
    word = name.strip().lower()
    for preset in presets().values():
        if word == preset.name or word in preset.aliases:
            return preset
    if word.split(":")[0] == "turntable":
        return _turntable(name, word)
    known = [*presets(), "turntable:N"]
    close = difflib.get_close_matches(word, known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise InputError(
        f"--rig {name!r} is neither a preset nor a cameras file{hint}: expected auto, {', '.join(known)}, or "
        "a path to a .json file."
    )


def _turntable(name: str, word: str) -> Rig:
    count = word.partition(":")[2]
    if not count.isascii() or not count.isdigit() or not 1 <= int(count) <= MAX_TURNTABLE:
        raise InputError(f"--rig {name!r}: expected turntable:N with N views from 1 to {MAX_TURNTABLE}.")
    return turntable(int(count))


def turntable(count: int) -> Rig:
    """`count` orthographic views at the horizon, evenly spaced: view k at azimuth 360 k / count, all views
    [-1, 1].
    """
    width = max(3, len(str(count - 1)))
    views = tuple(RigView(f"{k:0{width}d}", 360.0 * k / count) for k in range(count))
    rig = Rig(f"turntable:{count}", f"Turntable of {count}", "orthographic", views)
    rows = [(r, count // r) for r in range(1, count + 1) if count % r == 0]
    return replace(rig, sheets=tuple(sorted(rows, key=lambda shape: abs(shape[0] - shape[1]))))
