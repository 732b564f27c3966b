"""What processes do with assets in tests: nothing that needs torch."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from meshopt.batch.assets import Asset
from meshopt.batch.jobs import Made
from meshopt.errors import InputError


def misbehave(folder: Path, asset: Asset) -> Made:
    """The first part of the asset's name says how, `once`: the first time only; every try leaves a file."""
    how = asset.name.split("_")
    tries = len(list(folder.glob(f"{asset.name}.*")))
    (folder / f"{asset.name}.{tries}").touch()
    if not ("once" in how and tries):
        if "kill" in how:
            os.kill(os.getpid(), signal.SIGKILL)
        if "exit" in how:
            os._exit(5)
        if "hang" in how:
            time.sleep(600)
        if "bug" in how:
            raise KeyError(asset.name)
        if "wrong" in how:
            raise InputError(f"{asset.name}: no image.")
        if "disk" in how:
            raise OSError(28, "No space left on device", "file")
        if "eat" in how:
            eaten = []
            while True:
                eaten.append(bytearray(os.urandom(1 << 20)) * 8)
    (folder / f"{asset.name}.done").write_text(str(os.getpid()))
    return Made("key", (), {"verdict": "ok", "faces": 4})
