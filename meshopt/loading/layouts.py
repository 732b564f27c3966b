"""Which file is which view, and what its camera is: from a rig, a cameras file, or found out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.io.camera_entries import shown
from meshopt.io.camera_files import MAX_VIEWS, CameraEntry, CameraFile, read_cameras
from meshopt.io.folders import ImageFile, Listing, NormalMaps, find_images
from meshopt.io.images import SUFFIXES
from meshopt.io.pairing import assign, short_keys
from meshopt.loading.pictures import Pictures, Tile
from meshopt.loading.recognition import grid_of, recognise, shows_one_view
from meshopt.rigs import Rig, load_rig

CAMERA_FILES = ("cameras.json", "transforms.json", "transforms_train.json")


@dataclass(frozen=True)
class Slot:
    """One view: its camera (an entry where it depends on the image's shape) and its files, at least one."""

    name: str
    entry: CameraEntry
    normals: Tile | None
    rgb: Tile | None = None

    @property
    def image(self) -> Tile:
        """The normal map, where there is none the colour image: it tells the view's shape, and messages name it."""
        found = self.normals or self.rgb
        assert found is not None
        return found


@dataclass(frozen=True)
class Layout:
    """All views. `orbit`: a rig's, with square images of a scene that fits [-1, 1]; else the cameras are
    arbitrary.
    """

    rig: str
    slots: tuple[Slot, ...]
    orbit: bool
    native_frame: str | None = None
    stated_frame: str | None = None
    stated_axes: str | None = None
    notes: tuple[str, ...] = ()


def find_layout(
    views: Path | None,
    normals: Path | None,
    rig: str,
    pictures: Pictures,
    expected: NormalMaps = "needed",
    max_views: int = MAX_VIEWS,
) -> Layout:
    """Finds the files, the cameras, and which file belongs to which camera.

    `rig` is a preset's name, 'auto', or a path to a cameras file of at most `max_views`; `expected` as in
    `find_images`. Raises InputError where they do not fit together.
    """
    listing = find_images(views, normals, expected)
    path = _cameras_file(rig, listing)
    file = None if path is None else read_cameras(path, max_views)
    if file is not None and rig == "auto" and file.sheet is None and len(listing.views) == 1 < len(file.entries):
        file = None  # it describes single images, and this is a sheet
    if file is not None:
        layout = _from_cameras(file, listing)
        found = (f"cameras: {file.path} was found beside the images.",) if rig == "auto" else ()
        return replace(layout, notes=(*listing.notes, *found, *layout.notes))
    if rig == "auto":
        chosen, sentence = recognise(listing, pictures)
    else:
        chosen, sentence = load_rig(rig), ""
    layout = _from_rig(chosen, listing, pictures)
    notes = (*listing.notes, *([sentence] if sentence else []), *layout.notes)
    return replace(layout, notes=notes)


def _cameras_file(rig: str, listing: Listing) -> Path | None:
    if rig != "auto":
        path = Path(rig)
        if path.suffix.lower() == ".json" or path.is_file():
            return path
        return None
    folders = [file.path.parent for file in (*listing.rgb[:1], *listing.normals[:1])]
    folders += [folder.parent for folder in folders if len({f.parent for f in folders}) == 1]
    for folder in dict.fromkeys(folders):
        for name in CAMERA_FILES:
            if (folder / name).is_file():
                return folder / name
    return None


def _from_rig(rig: Rig, listing: Listing, pictures: Pictures) -> Layout:
    _check_sheet(rig, listing, pictures)
    normals, how = _tiles(listing.normals, "normal maps", rig, pictures)
    rgb, how_rgb = _tiles(listing.rgb, "colour images", rig, pictures)
    slots = tuple(
        Slot(view.name, CameraEntry(camera), normals[i], rgb[i])
        for i, (view, camera) in enumerate(zip(rig.views, rig.cameras(), strict=True))
    )
    return Layout(rig.name, slots, True, rig.normal_frame, notes=(_pairing(how, how_rgb),))


def _check_sheet(rig: Rig, listing: Listing, pictures: Pictures) -> None:
    """Raises InputError where one image, which should be a sheet of the rig's views, is one view."""
    files, count = listing.views, len(rig.views)
    if len(files) > 1 or count == 1:
        return
    grid = grid_of(rig, files[0].path, pictures)
    if shows_one_view(listing, grid, pictures):
        raise InputError(
            f"{files[0].path} shows one view, but rig {rig.name} expects a sheet of {count} views or a folder with "
            "an image for each; one single view goes with --rig turntable:1."
        )


def _tiles(files: Sequence[ImageFile], kind: str, rig: Rig, pictures: Pictures) -> tuple[Sequence[Tile | None], str]:
    """Each view's image (None where there are no files), and how it was found, in words."""
    names = [view.names for view in rig.views]
    if not files:
        return [None] * len(names), ""
    if len(files) == 1 and len(names) > 1:
        rows, columns = grid_of(rig, files[0].path, pictures)
        tiles = [Tile(files[0].path, (rows, columns), i) for i in range(len(names))]
        return tiles, f"cut from the sheet {files[0].path.name} ({columns} columns x {rows} rows)"
    found = assign(files, names, f"{kind} in {files[0].path.parent}", f"rig {rig.name}")
    return [Tile(file.path) for file in found.files], f"by {found.rule}{_left_over(found.extra)}"


def _pairing(normals: str, rgb: str) -> str:
    """A note of how the files of either kind found their views; nothing is said of a kind without files."""
    rules = [f"{kind} {how}" for kind, how in (("normal maps", normals), ("colour images", rgb)) if how]
    return f"pairing: {', '.join(rules)}."


def _from_cameras(file: CameraFile, listing: Listing) -> Layout:
    normals, how = _files_of(file, listing.normals, "normals", listing)
    rgb, how_rgb = _files_of(file, listing.rgb, "rgb", listing)
    slots = tuple(
        Slot(e.camera.name, e, None if n is None else _tile(file, e, n), None if c is None else _tile(file, e, c))
        for e, n, c in zip(file.entries, normals, rgb, strict=True)
    )
    return Layout(
        str(file.path),
        slots,
        False,
        stated_frame=file.normal_frame,
        stated_axes=file.normal_axes,
        notes=(_pairing(how, how_rgb),),
    )


def _tile(file: CameraFile, entry: CameraEntry, image: ImageFile) -> Tile:
    if file.sheet is None or entry.tile is None:
        return Tile(image.path)
    return Tile(image.path, file.sheet, entry.tile[0] * file.sheet[1] + entry.tile[1])


def _files_of(
    file: CameraFile, files: Sequence[ImageFile], kind: str, listing: Listing
) -> tuple[Sequence[ImageFile | None], str]:
    """The file of each camera: the one that the cameras file names, else by the colour image's name, else
    by name; None where there are no files.
    """
    if not files:
        return [None] * len(file.entries), ""
    folder = files[0].path.parent
    stated = [getattr(entry, kind) for entry in file.entries]
    if all(stated):
        named = [_named(file, i, stated[i], files) for i in range(len(stated))]
        return named, f"as the cameras file names them{_left_over(item for item in files if item not in named)}"
    if any(stated):
        name = shown(file.entries[stated.index(None)].camera.name)
        raise InputError(f"cameras file {file.path}: view {name} names no {kind} file, although other views do.")
    if kind == "normals" and listing.rgb and all(entry.rgb for entry in file.entries):
        colours = [_named(file, i, str(entry.rgb), listing.rgb) for i, entry in enumerate(file.entries)]
        keys = {item.path: key for item, key in zip(listing.rgb, short_keys(listing.rgb), strict=True)}
        by_key = dict(zip(short_keys(files), files, strict=True))
        if all(keys[colour.path] in by_key for colour in colours):
            return [by_key[keys[colour.path]] for colour in colours], "by the colour images' names"
    names = [(entry.camera.name, _stem(entry.camera.name)) for entry in file.entries]
    found = assign(files, names, f"{kind} in {folder}", f"cameras file {file.path.name}")
    return found.files, f"by {found.rule}{_left_over(found.extra)}"


def _left_over(files: Iterable[ImageFile]) -> str:
    """The files that no view uses, for a note."""
    names = ", ".join(file.path.name for file in files)
    return f" ({names} left over)" if names else ""


def _stem(name: str) -> str:
    return Path(name).stem if Path(name).suffix.lower() in SUFFIXES else name


def _named(file: CameraFile, index: int, wanted: str, files: Sequence[ImageFile]) -> ImageFile:
    """The file of that name, with or without suffix and folder."""
    name = wanted.replace("\\", "/").rsplit("/", 1)[-1]
    for test in (lambda p: p.name == name, lambda p: p.stem == name, lambda p: p.stem == _stem(name)):
        for item in files:
            if test(item.path):
                return item
    raise InputError(
        f"cameras file {file.path}: view {shown(file.entries[index].camera.name)} names the file {shown(wanted)}, "
        f"which is not in {files[0].path.parent}."
    )


def camera_in_square(camera: Camera, height: int, width: int) -> Camera:
    """The camera of an image after padding it to a square, the image in the middle (as `images.to_square`
    does).
    """
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    (hx, hy), (cx, cy) = camera.half_extent, camera.centre
    return replace(
        camera,
        half_extent=(hx * side / width, hy * side / height),
        centre=(
            cx * width / side + (width + 2 * left) / side - 1,
            cy * height / side + 1 - (height + 2 * top) / side,
        ),
    )
