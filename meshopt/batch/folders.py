"""A folder of assets: each in a folder of its own, with views and normals in it as `load_views` finds them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from meshopt.batch import storage
from meshopt.batch.assets import MANIFESTS, Asset
from meshopt.errors import InputError

ONE = ("views", "rgb", "normals", "images")  # folders that one asset has


def assets_in(place: str, output: str) -> Iterator[Asset]:
    """Those of a folder here or in a storage, by name; hidden ones and the output left out. Raises InputError."""
    if storage.is_url(place):
        names = storage.folders_in(place)
    else:
        names = _folders_in(Path(place).expanduser())
    if set(names) & set(ONE) and "normals" in names:
        raise InputError(
            f"{place}: holds {', '.join(name for name in names if name in ONE)}, as one asset does; expected a folder"
            " of such folders. meshopt reconstruct does one."
        )
    found = [name for name in names if not name.startswith(".")]
    paths = [(name, storage.join(place, name)) for name in found]
    paths = [(name, path) for name, path in paths if not storage.same(path, output)]
    if not paths:
        raise InputError(f"{place}: holds no folders, expected one for each asset, with views/ and normals/ in it")
    for name, path in paths:
        yield Asset(name, path, origin=path.encode(errors="backslashreplace").decode())


def _folders_in(folder: Path) -> list[str]:
    if not folder.exists():
        kinds = ", ".join(MANIFESTS)
        raise InputError(f"{folder}: no such file or folder, expected a folder of assets or a manifest ({kinds})")
    if not folder.is_dir():
        raise InputError(f"{folder}: is no manifest ({', '.join(MANIFESTS)}) and no folder of assets")
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
