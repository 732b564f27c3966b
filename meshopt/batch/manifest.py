"""Manifests: assets named by the lines of a CSV or JSONL file, with settings of their own.

Columns of a CSV file, keys of JSON objects: `name`, what the asset is read from (`views`, `normals`, or `folder` for
both; `cameras`), and any setting, such as `output.faces`. Relative paths are relative to the manifest.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from itertools import count
from typing import Any

from meshopt.batch import storage
from meshopt.batch.assets import Asset
from meshopt.batch.inputs import FILES
from meshopt.batch.names import check_name, has_control
from meshopt.config import load_config, setting_keys
from meshopt.errors import InputError
from meshopt.settings import Override, closest

COLUMNS = ("name", "folder", "views", "normals", "cameras")
LONGEST = 1 << 20  # bytes of a line
LARGEST = 10_000  # characters of a cell
MOST_COLUMNS = 1000
Entry = tuple[int, "dict[str, Any] | InputError"]  # the number of a line, and what stands in it


def assets_named(place: str) -> Iterator[Asset | InputError]:
    """The assets of the lines, and an error for each line that names none. Raises InputError for other files."""
    known = {*COLUMNS, *setting_keys()}
    sound: set[tuple[str, str]] = set()
    with storage.opened(place) as file:
        entries = _csv(place, file, known) if place.lower().endswith(".csv") else _jsonl(place, file, known)
        empty = True
        for number, entry in entries:
            empty = False
            if isinstance(entry, InputError):
                yield entry
                continue
            try:
                yield _asset(entry, f"{place}, line {number}", storage.parent(place), sound)
            except InputError as error:
                yield error
    if empty:
        raise InputError(f"{place}: names no assets, expected a line for each")


def _csv(place: str, file: BufferedReader, known: set[str]) -> Iterator[Entry]:
    """The rows under a header: cells that are not empty, settings as in `--set`."""
    reader = csv.reader(_lines(place, file), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise InputError(f"{place}, line 1: no valid CSV ({error})") from None
    _check_header(header, f"{place}, line 1", known)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
            if row is None:
                return
            if row:
                yield number, _cells(header, row, f"{place}, line {number}")
        except csv.Error as error:
            yield number, InputError(f"{place}, line {number}: no valid CSV ({error})")
        except InputError as error:
            yield number, error


def _check_header(header: list[str], origin: str, known: set[str]) -> None:
    if not any(header):
        raise InputError(f"{origin}: is empty, expected the names of the columns, such as name,views,normals")
    if len(header) > MOST_COLUMNS:
        raise InputError(f"{origin}: has {len(header)} columns, expected at most {MOST_COLUMNS}")
    for name in header:
        _check_key(name, origin, known)
    double = next((name for name in header if header.count(name) > 1), None)
    if double is not None:
        raise InputError(f"{origin}: the column '{double}' is there twice")
    if "name" not in header:
        raise InputError(f"{origin}: found the columns {', '.join(header)}, expected one of them to be 'name'")


def _cells(header: list[str], row: list[str], origin: str) -> dict[str, Any]:
    if len(row) != len(header):
        raise InputError(f"{origin}: has {len(row)} cells, expected {len(header)} as in the first line")
    found: dict[str, Any] = {}
    for name, cell in zip(header, row, strict=True):
        if len(cell) > LARGEST:
            raise InputError(f"{origin}: {name} has {len(cell)} characters, expected at most {LARGEST}")
        if name in COLUMNS:
            found[name] = cell
        elif cell.strip():
            if "&" in cell and "*" in cell:  # anchors of YAML, which can grow without end
                raise InputError(f"{origin}: {name} is {cell[:40]!r}, expected a value without & and *")
            try:
                found[name] = Override.parse(f"{name}={cell}").value
            except InputError as error:
                raise InputError(f"{origin}, {str(error).removeprefix('--set ')}") from None
    return found


def _jsonl(place: str, file: BufferedReader, known: set[str]) -> Iterator[Entry]:
    """The objects, one in each line that is not empty."""
    for number, line in enumerate(_lines(place, file), 1):
        if line.strip():
            try:
                yield number, _object(line, f"{place}, line {number}", known)
            except InputError as error:
                yield number, error


def _object(line: str, origin: str, known: set[str]) -> dict[str, Any]:
    try:
        found = json.loads(line, object_pairs_hook=lambda pairs: _once(pairs, origin), parse_constant=_no_number)
    except InputError:
        raise
    except json.JSONDecodeError as error:
        raise InputError(f"{origin}: no valid JSON in column {error.colno} ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin}: no valid JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f'{origin}: found {line.strip()[:40]!a}, expected an object such as {{"name": ...}}')
    if "\\u" in line:
        _check_text(found, origin)
    found = _once([pair for name, item in found.items() for pair in _flat(name, item, known)], origin)
    for name in found:
        _check_key(name, origin, known)
    wrong = next((key for key in COLUMNS if not isinstance(found.get(key, ""), (str, type(None)))), None)
    if wrong is not None:
        raise InputError(f"{origin}: {wrong} is {ascii(found[wrong])[:40]}, expected a text")
    return found


def _flat(key: str, value: Any, known: set[str]) -> Iterator[tuple[str, Any]]:
    """Sections of settings as their dotted keys."""
    if isinstance(value, dict) and any(name.startswith(f"{key}.") for name in known):
        for name, item in value.items():
            yield from _flat(f"{key}.{name}", item, known)
    else:
        yield key, value


def _check_text(value: Any, origin: str) -> None:
    """Raises InputError where an escape stands for half a character."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(f"{origin}: is no Unicode text, as an escape (\\ud800 to \\udfff) stands alone") from None


def _once(pairs: list[tuple[str, Any]], origin: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"{origin}: the key {double!a} is there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number in JSON")


def _check_key(name: str, origin: str, known: set[str]) -> None:
    if name not in known:
        shown = ascii(name) if len(name) <= 60 else f"{name[:57]!a}..."
        hint = closest(name[:60], sorted(known)) or f", expected {', '.join(COLUMNS)} or a setting (meshopt config)"
        raise InputError(f"{origin}: {shown} is unknown{hint}")


def _lines(place: str, file: BufferedReader) -> Iterator[str]:
    """The lines as text. Raises InputError where they are none."""
    for number in count(1):
        line = file.readline(LONGEST + 1)
        if not line:
            return
        origin = f"{place}, line {number}"
        if len(line) > LONGEST:
            raise InputError(f"{origin}: is longer than {LONGEST // 2**20} MiB, expected a line for each asset")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{origin}: is no UTF-8 text (byte {error.start + 1})") from None
        if "\0" in text:
            raise InputError(f"{origin}: holds a NUL character, expected text")
        yield text


def _asset(entry: dict[str, Any], origin: str, base: str, sound: set[tuple[str, str]]) -> Asset:
    """The asset of a line; `sound` remembers values of settings that are as they should be."""
    given = {key: (entry.get(key) or "").strip() for key in COLUMNS}
    bad = next((key for key in COLUMNS[1:] if has_control(given[key])), None)
    if bad is not None:
        raise InputError(f"{origin}: {bad} has a control character, expected a path")
    check_name(given["name"], origin)
    places = {key: storage.join(base, given[key]) for key in COLUMNS[1:] if given[key]}
    if "folder" in places and ("views" in places or "normals" in places):
        raise InputError(f"{origin}: has folder and views or normals, expected the one or the other")
    if not {"folder", "views", "normals"} & set(places):
        raise InputError(f"{origin}: '{given['name']}' has nothing to be read, expected folder, or views and normals")
    settings = [Override(key, value, f"{origin}, {key}") for key, value in entry.items() if key not in COLUMNS]
    if "cameras" in places:
        if any(item.key == "views.rig" for item in settings):
            raise InputError(f"{origin}: has cameras and views.rig, which are the same, expected one of them")
        settings.append(Override("views.rig", places["cameras"], f"{origin}, cameras"))
    settings = [_placed(item, base) for item in settings]
    for item in settings:
        _check_setting(item, sound)
    views = places.get("folder", places.get("views"))
    return Asset(given["name"], views, places.get("normals"), tuple(settings), origin)


def _placed(item: Override, base: str) -> Override:
    """With its file found beside the manifest."""
    if item.key in FILES and isinstance(item.value, str) and storage.is_file_here(base, item.value):
        return replace(item, value=storage.join(base, item.value))
    return item


def _check_setting(item: Override, sound: set[tuple[str, str]]) -> None:
    """Raises InputError where the value is not what the setting takes; each is looked at once."""
    if item.key == "views.rig" and isinstance(item.value, str):
        return
    try:
        known = item.key, json.dumps(item.value, default=str)
    except (ValueError, RecursionError):
        raise InputError(f"{item.origin}: is no plain value") from None
    if known not in sound:
        load_config(overrides=[item])
        if len(sound) < LARGEST:
            sound.add(known)
