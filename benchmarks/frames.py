"""How often an unknown normal convention is recognised: every view set, stored in all 144 conventions.

    python benchmarks/frames.py FOLDER [--rig RIG] [--resolution N] [--json FILE]

FOLDER is searched for view sets: folders that hold `rgb/` and `normals/`. The rig is RIG, else the
preset whose name is part of the set's path, else chosen by the file names. Each set is read as
`meshopt reconstruct` reads it (what it read is printed: the answer for the files as they are), then
its world normals are written as 8-bit colours in each convention and detected from the colours
alone, without the rig's documentation. An answer is right when it decodes to the true normals (mean
angle below 1 degree), whatever it is called.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from meshopt.errors import InputError
from meshopt.frames import NormalEncoding, decode, detect, encode, to_colours, to_vectors
from meshopt.frames.encoding import all_encodings
from meshopt.rigs import presets
from meshopt.views import LoadOptions, ViewSet, load_views

COMMON = ("opengl", "opencv", "directx")


def rig_of(folder: Path, given: str) -> str:
    """The rig given, else the longest preset name in the last two parts of the path, else 'auto'."""
    if given != "auto":
        return given
    place = "/".join(folder.parts[-2:])
    return max((name for name in presets() if name in place), key=len, default="auto")


def verdict(views: ViewSet, encoding: NormalEncoding) -> tuple[str, float, float]:
    """'right', 'wrong' or 'refused', the confidence, and seconds of CPU time."""
    normals, masks = views.normals.numpy(), views.masks.numpy()
    colours = to_colours(encode(normals, views.cameras, encoding)).astype(np.float32) / 255
    vectors = np.stack([to_vectors(c, m) for c, m in zip(colours, masks, strict=True)])
    start = time.process_time()
    try:
        found = detect(vectors, masks, views.cameras)
    except InputError:
        return "refused", 0.0, time.process_time() - start
    seconds = time.process_time() - start
    seen = (masks > 0.5) & (np.linalg.norm(normals, axis=-1) > 0.5)
    cosine = (decode(vectors, masks, views.cameras, found.encoding)[seen] * normals[seen]).sum(axis=-1)
    degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()
    return ("right" if degrees < 1 else "wrong"), found.confidence, seconds


def measure(folder: Path, rig: str, resolution: int) -> dict[str, Any]:
    """All conventions of one view set."""
    views = load_views(folder / "rgb", folder / "normals", rig, options=LoadOptions(resolution=resolution))
    read = next((note for note in views.notes if note.startswith("normals read as")), "")
    counts: Counter[str] = Counter()
    common: Counter[str] = Counter()
    confidences, seconds = [], []
    for encoding in all_encodings():
        word, confidence, spent = verdict(views, encoding)
        counts[word] += 1
        common[word] += encoding.axes in COMMON
        seconds.append(spent)
        if word != "refused":
            confidences.append(confidence)
    return {
        "set": "/".join(folder.parts[-2:]),
        "views": len(views),
        "resolution": views.resolution[0],
        "all": {k: counts[k] for k in ("right", "refused", "wrong")},
        "common": {k: common[k] for k in ("right", "refused", "wrong")},
        "least_confidence": round(min(confidences, default=0.0), 3),
        "seconds": round(min(seconds), 3),
        "read": read,
    }


def main() -> None:
    """Prints one line a set, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rig", default="auto")
    parser.add_argument("--resolution", type=int, default=256, help="rows and columns that sets are read at")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    folders = sorted(p.parent for p in arguments.folder.rglob("normals") if (p.parent / "rgb").is_dir())
    rows = []
    print(f"{'set':34} views  right refused wrong of 144 (of 9 common)  least conf.  CPU s")
    for folder in folders:
        row = measure(folder, rig_of(folder, arguments.rig), arguments.resolution)
        rows.append(row)
        a, c = row["all"], row["common"]
        of_all = f"{a['right']:5} {a['refused']:7} {a['wrong']:5}"
        of_common = f"({c['right']} {c['refused']} {c['wrong']})"
        figures = f"{row['least_confidence']:11.3f} {row['seconds']:6.3f}"
        print(f"{row['set']:34} {row['views']:5}  {of_all}        {of_common}      {figures}")
        print(f"    as stored: {row['read']}", flush=True)
    for part in ("all", "common"):
        sums = {k: sum(row[part][k] for row in rows) for k in ("right", "refused", "wrong")}
        print(f"{part}: {sums}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
