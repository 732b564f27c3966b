"""Where a model's weights and code are: a local folder, or the hub's cache; downloaded only where that was allowed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from meshopt.errors import InputError
from meshopt.generate import folders, hub
from meshopt.generate.adapters import Card, Part

CODE = "code"  # the name of the part that is code
PIPELINE_FILE = "pipeline.py"


@dataclass(frozen=True)
class Places:
    """Where weights are taken from, and what is allowed.

    `folder` has the whole model; `parts` the folders of single parts, by name. What neither has is looked for in the
    hub's cache, at `revision` (of the first part's repository, of others the newest). `download`: what is missing may
    be downloaded. `trust_code`: a model's own code may run. `pickles`: weights in .bin files may be read (by torch's
    reader of weights alone), where there are no .safetensors.
    """

    folder: Path | None = None
    parts: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    revision: str | None = None
    download: bool = False
    trust_code: bool = False
    pickles: bool = False


@dataclass(frozen=True)
class Located:
    """One part: its folder (None: not on this machine), the revision of one from the hub, bytes (None: not known)."""

    part: Part
    folder: Path | None
    revision: str | None
    size: int | None
    licence: str

    @property
    def origin(self) -> str:
        """Where it is from, in words."""
        if self.folder is None:
            return f"{self.part.hub} on the hub, not on this machine"
        if self.revision is None:
            return str(self.folder)
        return f"{self.part.hub} at {self.revision}, in the hub's cache"


@dataclass(frozen=True)
class Weights:
    """A model's folders on this machine, by part, and what the record of a run says of each."""

    folders: Mapping[str, Path]
    record: tuple[dict[str, Any], ...] = ()
    pickles: bool = False

    def __getitem__(self, part: str) -> Path:
        return self.folders[part]

    @property
    def options(self) -> dict[str, Any]:
        """What every `from_pretrained` is to be called with."""
        return {"local_files_only": True, "use_safetensors": None if self.pickles else True}


def all_parts(card: Card) -> tuple[Part, ...]:
    """The parts of a model, its code the last."""
    if card.code is None:
        return card.parts
    return (*card.parts, Part(CODE, card.code, "see its file", f"https://huggingface.co/{card.code}"))


def locate(card: Card, places: Places) -> tuple[Located, ...]:
    """Where each part is, without reading or downloading it.

    Raises InputError for folders that were named and do not hold what they should.
    """
    known = [part.name for part in all_parts(card)]
    for name in places.parts:
        if name not in known:
            raise InputError(f"--part {name}: {card.name} has no such part, expected {', '.join(known)}.")
    return tuple(_locate(card, part, places) for part in all_parts(card))


def _locate(card: Card, part: Part, places: Places) -> Located:
    file = PIPELINE_FILE if part.name == CODE else None
    if part.name in places.parts:
        folder = places.parts[part.name]
        folders.check_folder(folder, f"--part {part.name}={folder}", file)
        return _local(card, part, folder)
    if places.folder is not None:
        folder = places.folder / part.folder
        if part is card.parts[0]:
            folders.check_folder(folder, f"the folder {folder}", None)
        if folders.holds(folder, file) and (part is card.parts[0] or part.folder or file):
            return _local(card, part, folder)
    revision = places.revision if part.hub == card.parts[0].hub else None
    found = hub.cached(part.hub, revision)
    if found is None or not folders.complete(found / part.inside, file, part.files):
        return Located(part, None, revision, None, part.licence)
    return replace(_local(card, part, found / part.inside), revision=found.name)


def _local(card: Card, part: Part, folder: Path) -> Located:
    inner = () if part.name == CODE else tuple(p.folder for p in card.parts if p is not part and p.folder)
    size = (folder / PIPELINE_FILE).stat().st_size if part.name == CODE else folders.size(folder, inner, part.files)
    return Located(part, folder, None, size, folders.stated_licence(folder) or part.licence)


def check_places(card: Card, located: tuple[Located, ...], places: Places) -> None:
    """Raises InputError where a part is missing and may not be downloaded, or is code or a pickle that may not run."""
    for found in located:
        part = found.part
        if part.name == CODE and not places.trust_code:
            where = f"{part.hub} on the hub" if found.folder is None else str(found.folder / PIPELINE_FILE)
            raise InputError(
                f"{card.name} runs code of its authors, {where}: read it, and allow it with --trust-remote-code."
            )
        if found.folder is None and not places.download:
            where = f"--part {part.name}=FOLDER" if part is not card.parts[0] else "--weights FOLDER"
            raise InputError(
                f"part {part.name} of {card.name} ({part.hub}) is not on this machine, and nothing is downloaded "
                f"unasked: {where} takes it from a folder, --download fetches it ({part.licence})."
            )
        if found.folder is None and part.pickled and not places.pickles:
            raise InputError(
                f"part {part.name} of {card.name} ({part.hub}) is published as pickles, which can run code when they "
                "are read: --allow-pickle reads them with torch's reader of weights alone."
            )
        if found.folder is not None and part.name == CODE:
            folders.check_imports(found.folder / PIPELINE_FILE)
        elif found.folder is not None:
            folders.check_tensors(found.folder, places.pickles, part.files)


def obtain(card: Card, located: tuple[Located, ...], places: Places) -> Weights:
    """The model's folders, what is missing downloaded where that is allowed. Raises as `check_places` does."""
    check_places(card, located, places)
    kept: dict[str, Path] = {}
    record = []
    for found in located:
        part, folder, revision = found.part, found.folder, found.revision
        if folder is None:
            snapshot = hub.download(part.hub, revision, places.pickles, part.inside, part.files)
            folder, revision = snapshot / part.inside, snapshot.name
            folders.check_folder(folder, f"{part.hub} from the hub", PIPELINE_FILE if part.name == CODE else None)
            if part.name == CODE:
                folders.check_imports(folder / PIPELINE_FILE)
            else:
                folders.check_tensors(folder, places.pickles, part.files)
        kept[part.name] = folder
        record.append(_entry(replace(found, folder=folder, revision=revision)))
    return Weights(kept, tuple(record), places.pickles)


def _entry(found: Located) -> dict[str, Any]:
    """What the record of a run says of a part; hub parts by their revision, local ones by their folder's name."""
    assert found.folder is not None
    entry: dict[str, Any] = {"part": found.part.name}
    if found.revision is None:
        entry |= {"folder": found.folder.resolve().name}
    else:
        entry |= {"hub": found.part.hub, "revision": found.revision}
    if found.part.name == CODE:
        data = (found.folder / PIPELINE_FILE).read_bytes()
        return entry | {"sha256": hashlib.sha256(data).hexdigest()}
    return entry | {"licence": found.licence}
