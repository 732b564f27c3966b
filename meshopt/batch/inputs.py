"""What the result of an asset depends on, as a hash: what is read, by names, sizes and times, settings and version."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from meshopt import __version__
from meshopt.batch import storage
from meshopt.batch.assets import Asset
from meshopt.config import Config
from meshopt.settings import value_at

FILES = ("views.rig", "initial.method")  # settings that may be files


def settings_hash(config: Config) -> str:
    """Of the settings that all assets have in common, of the files they name, and of meshopt's version."""
    files = [storage.stamps(str(value_at(config, key))) for key in FILES]
    return _hash([__version__, config.model_dump(mode="json"), files])


def fingerprint(asset: Asset, common: str) -> str:
    """Of an asset; `common`: the `settings_hash`. Raises OSError and InputError of storages alone."""
    places = [asset.views, asset.normals, *(item.value for item in asset.settings if item.key in FILES)]
    read = [storage.stamps(place) if isinstance(place, str) else None for place in places]
    return _hash([common, [[item.key, item.value] for item in asset.settings], read])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
