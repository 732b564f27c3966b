"""Assets of a batch: read one after the other, so that a manifest may be larger than the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from meshopt.batch.names import check_name, comparable
from meshopt.errors import InputError
from meshopt.settings import Override

MANIFESTS = (".csv", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Asset:
    """One object: the folder of its result, what its views are read from (as for `load_views`; paths or URLs), and
    settings that go over those of the batch. `origin`: where it was named.
    """

    name: str
    views: str | None
    normals: str | None = None
    settings: tuple[Override, ...] = ()
    origin: str = ""


def read_assets(place: str, output: str) -> Iterator[Asset | InputError]:
    """The assets of a folder (one folder each) or manifest, in order, and an error for each that cannot be one.

    `output`, if it is in the folder, is none of them. Names are different on every file system. Raises InputError where
    nothing can be read at all.
    """
    from meshopt.batch.folders import assets_in
    from meshopt.batch.manifest import assets_named

    suffix = PurePosixPath(place).suffix.lower()
    found = assets_named(place) if suffix in MANIFESTS else assets_in(place, output)
    origins: dict[str, str] = {}
    for asset in found:
        yield asset if isinstance(asset, InputError) else _checked(asset, origins)


def _checked(asset: Asset, origins: dict[str, str]) -> Asset | InputError:
    """The asset, unless its name is wrong or that of one before."""
    try:
        check_name(asset.name, asset.origin)
    except InputError as error:
        return error
    before = origins.setdefault(comparable(asset.name), asset.origin)
    if before is not asset.origin:
        return InputError(
            f"{asset.origin}: the name '{asset.name}' is also that of {before}, but for upper and lower case;"
            " expected different names"
        )
    return asset
