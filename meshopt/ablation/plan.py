"""What an ablation compares: inputs (true, generated and damaged normals) under variants of the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from meshopt.config import Config, load_config
from meshopt.errors import InputError
from meshopt.evaluate.corruptions import KINDS, check_damage, corrupt
from meshopt.settings import Override, parse_values, value_at
from meshopt.views import ViewSet

NORMALS = Literal["reference", "generated", "corrupted"]
TOGGLES: dict[str, tuple[str, tuple[Any, ...]]] = {  # a setting, and its values; None: what it is
    "corrections": ("check.correct", (True, False)),
    "robust": ("optimize.robustness", (None, 2.0)),  # no difference of unit vectors is longer than 2
}


@dataclass(frozen=True)
class Damage:
    """One kind of `meshopt.evaluate.corruptions`; strength in its unit, None for those that have none."""

    kind: str
    strength: float | None = None

    @property
    def label(self) -> str:
        """As `rotate 10`."""
        return self.kind if self.strength is None else f"{self.kind} {self.strength:g}"


@dataclass(frozen=True)
class Input:
    """The normals that a reconstruction starts from; damages are done to the reference, one after the other."""

    normals: NORMALS
    damages: tuple[Damage, ...] = ()
    seed: int = 0

    @property
    def kind(self) -> str:
        """What inputs of all strengths have in common."""
        return "+".join(damage.kind for damage in self.damages) or self.normals

    @property
    def strength(self) -> str:
        """Of each damage."""
        return "+".join("-" if d.strength is None else f"{d.strength:g}" for d in self.damages)

    @property
    def label(self) -> str:
        """As `rotate 10` or `generated`, without the seed."""
        return " + ".join(damage.label for damage in self.damages) or self.normals

    def of(self, reference: ViewSet, generated: ViewSet | None) -> ViewSet:
        """The views. Raises InputError where this cannot be done to them."""
        if self.normals == "generated":
            assert generated is not None
            return generated
        views = reference
        for damage in self.damages:
            views = corrupt(views, damage.kind, damage.strength, seed=self.seed).views
        return views


@dataclass(frozen=True)
class Variant:
    """Settings of a run; `varied` are those by which it differs from others: key and value."""

    config: Config
    varied: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """As `check.correct=false`; empty where nothing is varied."""
        return ", ".join(f"{key}={shown(value)}" for key, value in self.varied)


def corrupted(chains: Iterable[Sequence[Damage]], seeds: int) -> list[Input]:
    """Every chain of damages with every seed, 1, 2, ..."""
    return [Input("corrupted", tuple(chain), 1 + seed) for chain in chains for seed in range(seeds)]


def parse_damages(text: str) -> list[tuple[Damage, ...]]:
    """The chains of `KIND`, `KIND=S,S,...` or `KIND=S,S+KIND=S,S`, whose strengths go together. Raises InputError."""
    steps = [_parse_step(step, f"--corrupt {text}") for step in text.split("+")]
    count = max(len(step) for step in steps)
    if any(len(step) not in (1, count) for step in steps):
        raise InputError(f"--corrupt {text}: the kinds have different numbers of strengths, expected the same or one.")
    return list(zip(*(step * count if len(step) == 1 else step for step in steps), strict=True))


def parse_variation(text: str) -> tuple[str, tuple[Any, ...]]:
    """The key and values of `KEY=VALUE,VALUE,...`. Raises InputError."""
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise InputError(f"--vary {text}: expected key=value,value,..., as in --vary optimize.normal_weight=1,2")
    found = {shown(value): value for value in parse_values(values, f"--vary {text}")}  # each once
    return key.strip(), tuple(found.values())


def toggled(name: str, config: Config) -> tuple[str, tuple[Any, ...]]:
    """The setting that a name of `TOGGLES` stands for, and its values on and off. Raises InputError."""
    if name not in TOGGLES:
        raise InputError(f"--toggle {name} is unknown, expected {' or '.join(TOGGLES)}.")
    key, values = TOGGLES[name]
    return key, tuple(value_at(config, key) if value is None else value for value in values)


def variants(
    source: str | None, overrides: Sequence[str | Override], variations: Sequence[tuple[str, tuple[Any, ...]]]
) -> list[Variant]:
    """All combinations of the varied settings, over a file or preset and overrides. Raises InputError."""
    keys = [key for key, _ in variations]
    reading = next((key for key in keys if key.startswith("views")), None)
    if reading is not None:
        raise InputError(f"--vary {reading}: views are read once for all runs: expected a setting of another section.")
    double = next((key for key in keys if keys.count(key) > 1), None)
    if double is not None:
        raise InputError(f"the setting {double} is varied twice: expected each once.")
    found = []
    for values in product(*(values for _, values in variations)):
        varied = tuple(zip(keys, values, strict=True))
        given = [Override(key, value, f"--vary {key}={shown(value)}") for key, value in varied]
        found.append(Variant(load_config(source, [*overrides, *given]), varied))
    return found


def shown(value: Any) -> str:
    """A setting's value as text."""
    return value if isinstance(value, str) else json.dumps(value)


def slug(*parts: str) -> str:
    """A file's name of texts."""
    return "_".join(re.sub(r"[^A-Za-z0-9.=+-]+", "-", part).strip("-.") for part in parts if part)


def _parse_step(text: str, origin: str) -> list[Damage]:
    kind, equals, values = (part.strip() for part in text.partition("="))
    check_damage(kind)
    if not equals:
        return [Damage(kind, KINDS[kind].strength)]
    found = []
    for word in values.split(","):
        try:
            found.append(Damage(kind, float(word)))
        except ValueError:
            raise InputError(f"{origin}: the strength {word!r} is no number, expected as in rotate=5,10,20.") from None
        check_damage(kind, found[-1].strength)
    return found
