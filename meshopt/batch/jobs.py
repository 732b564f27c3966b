"""What the processes of a batch are given and give back; nothing heavy is imported by who deals them out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from meshopt.batch.assets import Asset
from meshopt.settings import Override

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What all assets have in common: their settings and the hash of these, the output (a folder or URL), and whether
    results that are there may be replaced.
    """

    settings: tuple[Override, ...]
    common: str
    output: str
    replace: bool


@dataclass(frozen=True)
class Made:
    """What came of an asset: the hash of what it depends on, its files, and what its report says in one row."""

    key: str
    files: tuple[str, ...]
    figures: Row


@dataclass(frozen=True)
class Maker:
    """`meshopt.batch.making.make` for a job. What it needs is imported where it is unpickled, or called."""

    job: Job

    def __call__(self, asset: Asset) -> Made:
        return _function(self.job)(asset)

    def __reduce__(self) -> tuple[Callable[[Job], Callable[[Asset], Made]], tuple[Job]]:
        return _function, (self.job,)


def _function(job: Job) -> Callable[[Asset], Made]:
    from meshopt.batch.making import make

    return partial(make, job)
