"""Which images a folder holds: colours, normal maps, and the view that each file's name speaks of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meshopt.errors import InputError
from meshopt.io.images import COLOUR_SUFFIXES, SUFFIXES

Kind = Literal["rgb", "normals", "mask", "sheet", "other"]
NormalMaps = Literal["needed", "optional", "none"]  # must be there, are read where there are any, are not looked for

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("rgb", "rgba", "color", "colors", "colour", "colours", "albedo"), "rgb"),
    **dict.fromkeys(("normal", "normals", "nrm", "norm"), "normals"),
    **dict.fromkeys(("mask", "masks", "alpha", "matte"), "mask"),
    **dict.fromkeys(("grid", "sheet", "contact", "preview", "montage", "collage"), "sheet"),
    **dict.fromkeys(("depth", "disparity", "disp", "position", "roughness", "metallic", "ao"), "other"),
}
_PRECEDENCE: tuple[Kind, ...] = ("normals", "mask", "other", "rgb", "sheet")
_FILLERS = {
    *("masked", "image", "images", "img", "imgs", "list", "view", "views"),
    *("frame", "frames", "cam", "camera", "render", "r"),
}
_FOLDERS = {
    "rgb": ("rgb", "rgba", "color", "colors", "colour", "colours", "images", "image", "views"),
    "normals": ("normals", "normal", "nrm"),
}


@dataclass(frozen=True)
class ImageFile:
    """An image, what its name says it shows, and `key`: the rest of the name, which tells the view."""

    path: Path
    kind: Kind | None
    key: str


@dataclass(frozen=True)
class Listing:
    """The colour images and the normal maps of one object, in natural order, and what was left out."""

    rgb: tuple[ImageFile, ...]
    normals: tuple[ImageFile, ...]
    notes: tuple[str, ...] = ()

    @property
    def views(self) -> tuple[ImageFile, ...]:
        """The images that say which views there are: the normal maps, where there are none the colour images."""
        return self.normals or self.rgb

    @property
    def kind(self) -> str:
        """What `views` are, for messages."""
        return "normal maps" if self.normals else "colour images"


def comparable(name: str) -> str:
    """A view's name as files write it, made comparable: lower case, words joined by one underscore."""
    return re.sub(r"[\s_\-.]+", "_", name.strip().lower()).strip("_")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which view2 comes before view10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text.lower())
    return tuple((0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts)


def _words(path: Path) -> list[str]:
    return re.findall(r"[a-z]+|[0-9]+|[^a-z0-9_]+", comparable(path.stem))


def parse_name(path: Path) -> ImageFile:
    """What a file's name says: `normals_000_front.png` shows normals, its key is `000_front`."""
    words = _words(path)
    kinds = {_KINDS[word] for word in words if word in _KINDS}
    rest = [word for word in words if word not in _KINDS and word not in _FILLERS]
    return ImageFile(path, next((kind for kind in _PRECEDENCE if kind in kinds), None), "_".join(rest))


def object_name(path: Path) -> str:
    """What to call that which a folder or sheet of images shows: the folder above where it is named rgb or the like."""
    path = path.absolute()
    names = [path.stem if path.is_file() else path.name, path.parent.name]
    return next((name for name in names if not any(name.lower() in known for known in _FOLDERS.values())), names[0])


def images_in(folder: Path, flag: str) -> tuple[list[ImageFile], list[str]]:
    """The images right inside a folder in natural order (hidden files and folders left out), and notes.

    Raises InputError for a folder that is missing or cannot be read, and for a dead link to an image.
    """
    if not folder.is_dir():
        found = "is neither a folder nor an image" if folder.exists() else "does not exist"
        raise InputError(f"{flag} {folder}: {found}; expected a folder of images, or one image of all views.")
    try:
        entries = sorted(folder.iterdir(), key=lambda path: natural(path.name))
    except OSError as error:
        raise InputError(f"{flag} {folder}: cannot be read ({error.strerror}).") from error
    files, notes = [], []
    for path in entries:
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
            continue
        if path.is_dir():
            notes.append(f"{path} is a folder, although its name is an image's: left out.")
        elif not path.is_file():
            raise InputError(f"{path} is a link that leads nowhere or in a circle: expected an image ({flag}).")
        else:
            files.append(parse_name(path))
    return files, notes


def find_images(views: Path | None, normals: Path | None, expected: NormalMaps = "needed") -> Listing:
    """The colour images and normal maps of one object.

    Either path may be a folder, one image that shows all views (a sheet), or None. Normal maps are looked for
    in `normals`; without it in `views`, told apart by names (normals_*) or in a subfolder (normals/).
    Raises InputError where there are no images at all, or no normal maps although they are `expected`, being
    needed or in `normals`.
    """
    if expected == "none":
        return _colours_alone(views)
    if views is None and normals is None:
        raise InputError("no images were given: expected --views and --normals, folders of images.")
    notes: list[str] = []
    rgb = [] if views is None else _pick(views, "rgb", "--views", notes)
    if normals is None or (views is not None and normals.resolve() == views.resolve()):
        assert views is not None
        maps = _pick(views, "normals", "--views", notes)
        if not maps and not rgb:
            raise InputError(f"--views {views}: holds no images; {_contents(views)}.")
        if not maps and (expected == "needed" or normals is not None):
            raise InputError(
                f"--views {views}: no normal maps among its images (such as {rgb[0].path.name}); give their "
                "folder with --normals, name them normals_*, or put them into normals/ beside rgb/."
            )
    else:
        maps = _pick(normals, "normals", "--normals", notes)
        if not maps:
            raise InputError(f"--normals {normals}: holds no normal maps; {_contents(normals)}.")
        if views is not None and not rgb:
            raise InputError(f"--views {views}: holds no colour images; {_contents(views)}.")
    return Listing(tuple(rgb), tuple(maps), tuple(dict.fromkeys(notes)))


def _colours_alone(views: Path | None) -> Listing:
    if views is None:
        raise InputError("no colour images were given: expected --views, a folder of images.")
    notes: list[str] = []
    rgb = _pick(views, "rgb", "--views", notes)
    if not rgb:
        raise InputError(f"--views {views}: holds no colour images; {_contents(views)}.")
    return Listing(tuple(rgb), (), tuple(dict.fromkeys(notes)))


def _pick(place: Path, kind: Literal["rgb", "normals"], flag: str, notes: list[str]) -> list[ImageFile]:
    """The images of that kind in a folder or its subfolder; for a file, that file where the flag asks for
    it.
    """
    if place.is_file():
        if place.suffix.lower() not in SUFFIXES:
            raise InputError(f"{flag} {place}: is no image ({', '.join(SUFFIXES)}); expected a folder or a sheet.")
        wanted = (kind == "normals") == (flag == "--normals")
        return [ImageFile(place, kind, parse_name(place).key)] if wanted else []
    files, found = images_in(place, flag)
    chosen = [file for file in files if file.kind == kind]
    subfolder = next((place / name for name in _FOLDERS[kind] if (place / name).is_dir()), None)
    if not chosen and subfolder is not None:
        inner, found_there = images_in(subfolder, flag)
        chosen = [file for file in inner if file.kind == kind] or _unlabelled(inner)
        files, found = (inner, found + found_there) if chosen else (files, found)
    if not chosen and (kind == "rgb" or flag == "--normals"):
        chosen = _unlabelled(files)
    if kind == "rgb":
        chosen = [file for file in chosen if file.path.suffix.lower() in COLOUR_SUFFIXES]
    notes += found
    for other, why in (("mask", "; masks come from --matting"), ("other", "")):
        unused = [file.path.name for file in files if file.kind == other]
        if unused:
            notes.append(f"{len(unused)} {other} images such as {unused[0]} were left out{why}.")
    return _without_sheets(chosen, notes)


def _unlabelled(files: list[ImageFile]) -> list[ImageFile]:
    return [file for file in files if file.kind in (None, "sheet")]


def _without_sheets(files: list[ImageFile], notes: list[str]) -> list[ImageFile]:
    """Drops contact sheets that lie beside the single views."""
    sheets = [file for file in files if any(_KINDS.get(word) == "sheet" for word in _words(file.path))]
    if not sheets or len(sheets) == len(files):
        return files
    notes.append(f"{', '.join(file.path.name for file in sheets)} lies beside single views and was left out.")
    return [file for file in files if file not in sheets]


def _contents(place: Path) -> str:
    """What a folder without the wanted images holds, for a message."""
    if place.is_file():
        return "it is a single image"
    others = sorted(path.name for path in place.iterdir() if not path.name.startswith("."))
    known = ", ".join(SUFFIXES)
    if not others:
        return f"it is empty, expected {known}"
    return f"found {len(others)} entries such as {others[0]!r}, expected {known}"
