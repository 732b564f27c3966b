"""Checked values from one view's entry of a cameras file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from meshopt.errors import InputError

LONGEST = 200  # characters of a text
MOST = 1e30  # largest number: its squares are finite, and what comes of larger scenes is refused later
_RIGID = 1e-3  # largest error of R R^T; text files keep few digits


@dataclass(frozen=True)
class EntryReader:
    """Values of one view of a cameras file, the file's common values being defaults.

    Its methods raise InputError that names the file, the view, the key, the found and the expected.
    """

    path: Path
    index: int
    item: dict[str, Any]
    common: dict[str, Any]

    def wrong(self, key: str, expected: str) -> InputError:
        found = self.item.get(key, self.common.get(key))
        found_text = "is missing" if found is None else f"is {str(found)[:60]}"
        name = self.item.get("name", self.item.get("file_path", self.index))
        return InputError(f"cameras file {self.path}: view {shown(name)}: {key!r} {found_text}, expected {expected}.")

    def has(self, key: str) -> bool:
        return self.item.get(key, self.common.get(key)) is not None

    def number(self, key: str, low: float = -MOST, high: float = MOST, default: float | None = None) -> float:
        value: Any = self.item.get(key, self.common.get(key, default))
        if not isinstance(value, bool) and isinstance(value, (int, float)) and low <= value <= high:
            return float(value)
        raise self.wrong(key, f"a number from {low:g} to {high:g}")

    def pair(self, key: str, low: float, high: float = MOST) -> tuple[float, float]:
        value = self.item.get(key, self.common.get(key))
        if isinstance(value, list) and len(value) == 2:
            parts = [EntryReader(self.path, self.index, {**self.item, key: part}, {}) for part in value]
            return parts[0].number(key, low, high), parts[1].number(key, low, high)
        raise self.wrong(key, "two numbers")

    def text(self, key: str) -> str | None:
        value = self.item.get(key)
        if value is not None and not (isinstance(value, str) and value.strip() and len(value) <= LONGEST):
            raise self.wrong(key, f"text of 1 to {LONGEST} characters")
        return value

    def pose(self, key: str) -> Float[np.ndarray, "4 4"]:
        """A rigid 4 x 4 matrix (3 x 4 will do). A rotation that is a little off is made exact."""
        try:
            matrix = np.array(self.item[key], dtype=np.float64)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise self.wrong(key, "a 4 x 4 matrix of numbers, a list of rows") from None
        if matrix.shape == (3, 4):
            matrix = np.vstack([matrix, [0, 0, 0, 1]])
        if matrix.shape != (4, 4) or not (np.abs(matrix) <= MOST).all() or not np.allclose(matrix[3], [0, 0, 0, 1]):
            raise self.wrong(key, f"a 4 x 4 matrix of numbers up to {MOST:g} with the last row 0 0 0 1")
        rotation = matrix[:3, :3]
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > _RIGID or np.linalg.det(rotation) < 0:
            raise self.wrong(key, "a rotation and a shift (orthonormal, right-handed, no scale)")
        u, _, v = np.linalg.svd(rotation)
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-12:
            matrix[:3, :3] = u @ v
        return matrix


def shown(value: object) -> str:
    """What was found, for a message."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def inverse(pose: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """The inverse of a rigid matrix."""
    result = np.eye(4)
    result[:3, :3] = pose[:3, :3].T
    result[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return result
