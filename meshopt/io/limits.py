"""How large mesh files may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meshopt.errors import InputError

MAX_PARTS = 4000  # of a mesh file: each costs a millisecond


@dataclass(frozen=True)
class MeshLimits:
    """`max_bytes` of a mesh file, with the files that it refers to; `max_faces` of what it holds."""

    max_bytes: int = 256 * 1024 * 1024
    max_faces: int = 5_000_000

    def check_bytes(self, path: Path, count: int, what: str = "it has") -> None:
        """Raises InputError for too many."""
        if count > self.max_bytes:
            raise InputError(
                f"{path}: {what} {count / 1e6:.0f} MB, more than the limit of {self.max_bytes / 1e6:.0f} MB "
                "(setting meshes.max_bytes)."
            )

    def check_faces(self, path: Path, count: int) -> None:
        """Raises InputError for too many."""
        if count > self.max_faces:
            raise InputError(
                f"{path}: has {count} faces, more than the limit of {self.max_faces} (setting meshes.max_faces)."
            )


LIMITS = MeshLimits()
