"""Which file shows which view: by name first, then by order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from meshopt.errors import InputError
from meshopt.io.folders import ImageFile, comparable


@dataclass(frozen=True)
class Assignment:
    """One file per view, in the order of the views; the rule that found them; and the files that were left
    over.
    """

    files: tuple[ImageFile, ...]
    rule: Literal["name", "number", "order"]
    extra: tuple[ImageFile, ...] = ()


def view_of(key: str, names: Sequence[Sequence[str]]) -> int | None:
    """Which view a file's key speaks of, given each view's accepted names; a leading number is passed
    over.
    """
    for word in dict.fromkeys((comparable(key), re.sub(r"^\d+_", "", comparable(key)))):
        for i, accepted in enumerate(names):
            if word and word in {comparable(name) for name in accepted}:
                return i
    return None


def short_keys(files: Sequence[ImageFile]) -> list[str]:
    """The files' keys without the words that all begin or end with (`cat_front_0`, `cat_back_0` ->
    `front`, `back`).
    """
    words = [file.key.split("_") for file in files]
    for end in (0, -1):
        while len(words) > 1 and all(len(w) > 1 for w in words) and len({w[end] for w in words}) == 1:
            words = [w[1:] if end == 0 else w[:-1] for w in words]
    return ["_".join(w) for w in words]


def numbers_of(files: Sequence[ImageFile]) -> list[int] | None:
    """The files' numbers, where numbers are all that tells their names apart, else None."""
    keys = short_keys(files)
    return [int(key) for key in keys] if keys and all(key.isascii() and key.isdigit() for key in keys) else None


def find_named(
    files: Sequence[ImageFile], names: Sequence[Sequence[str]], what: str, layout: str
) -> tuple[dict[int, ImageFile], list[ImageFile]]:
    """The files whose names speak of a view, by view, and the others. Raises InputError where two show one
    view.
    """
    best: tuple[dict[int, ImageFile], list[ImageFile]] = ({}, list(files))
    for keys in ([file.key for file in files], short_keys(files)):
        found: dict[int, ImageFile] = {}
        extra = []
        for file, key in zip(files, keys, strict=True):
            index = view_of(key, names)
            if index is None:
                extra.append(file)
            elif index in found:
                raise InputError(
                    f"{what}: {found[index].path.name} and {file.path.name} both show view "
                    f"{names[index][0]!r}; expected one file for each view of {layout}."
                )
            else:
                found[index] = file
        if len(found) > len(best[0]):
            best = (found, extra)
    return best


def assign(files: Sequence[ImageFile], names: Sequence[Sequence[str]], what: str, layout: str) -> Assignment:
    """The file of each view. `names` are each view's accepted names, the first one being its own.

    `what` (such as 'normal maps in DIR') and `layout` (such as 'rig wonder3d') are for messages. Raises
    InputError where a view has no file or two, and where the number of files does not fit.
    """
    numbers = numbers_of(files)
    nameless = all(file.key.isdigit() for file in files) or all(own[0].isdigit() for own in names)
    if numbers is not None and nameless:
        return _by_number(files, numbers, names, what, layout)
    found, extra = find_named(files, names, what, layout)
    if len(found) == len(names):
        return Assignment(tuple(found[i] for i in range(len(names))), "name", tuple(extra))
    if found:
        missing = ", ".join(repr(names[i][0]) for i in range(len(names)) if i not in found)
        unknown = f" (and {extra[0].path.name} names no view of it)" if extra else ""
        raise InputError(
            f"{what}: {missing} of {layout} has no file{unknown}; expected {len(names)} files named after "
            "the views, or another --rig."
        )
    if numbers is not None:
        return _by_number(files, numbers, names, what, layout)
    if len(files) != len(names):
        raise _wrong_count(files, names, what, layout)
    return Assignment(tuple(files), "order")


def _by_number(
    files: Sequence[ImageFile], numbers: list[int], names: Sequence[Sequence[str]], what: str, layout: str
) -> Assignment:
    order = sorted(range(len(files)), key=lambda i: numbers[i])
    ordered = [files[i] for i in order]
    for i, j in pairwise(order):
        if numbers[i] == numbers[j]:
            raise InputError(
                f"{what}: {files[i].path.name} and {files[j].path.name} have the same number; expected one of them."
            )
    if len(files) != len(names):
        raise _wrong_count(ordered, names, what, layout)
    consecutive = max(numbers) - min(numbers) == len(numbers) - 1
    return Assignment(tuple(ordered), "number" if consecutive else "order")


def _wrong_count(files: Sequence[ImageFile], names: Sequence[Sequence[str]], what: str, layout: str) -> InputError:
    listed = ", ".join(file.path.name for file in files[:6]) + (", ..." if len(files) > 6 else "")
    return InputError(
        f"{what}: found {len(files)} ({listed}), but {layout} has {len(names)} views; give one file for "
        "each, or another --rig."
    )
