"""How settings are read, checked and written: the mechanism behind `meshopt.config`.

A tree of settings is a pydantic model of models. It is filled from defaults, a YAML file and `key=value`
overrides, in that order. Whatever is wrong with them is one InputError that names the key, what was found and
what was expected.
"""

from __future__ import annotations

import difflib
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from meshopt.errors import InputError
from meshopt.io.files import read_bytes

Tree = dict[str, Any]
MAX_BYTES = 1 << 20  # of a file of settings
MAX_DEPTH = 32
_PLAIN = {
    "a valid array": "a list, as in [a, b]",
    "a valid boolean": "true or false",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid string": "a text",
}
S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """Base of every section: frozen, each field documented by the text below it, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


class _Loader(yaml.SafeLoader):
    """YAML without its traps: 1e-3 is a number, and a key given twice, aliases and deep nesting are errors."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="aliases (*) are not read, write the value out", problem_mark=mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem=f"nested more than {MAX_DEPTH} deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is not a text", problem_mark=key_node.start_mark)
            if key_node.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{key_node.value}' is there twice", problem_mark=key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def keys(model: type[Settings], prefix: str = "") -> Iterator[str]:
    """Every key below `model`, dotted, sections before their fields."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from keys(field.annotation, f"{prefix}{name}.")


def value_at(settings: Settings, key: str) -> Any:
    """The value of a dotted key that is there."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def read_tree(path: Path) -> Tree:
    """The settings in a YAML file, unchecked. Raises InputError where it is no readable mapping."""
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file, expected settings in YAML") from None
    except OSError as error:
        raise InputError(f"{path}: cannot read the settings ({error.strerror})") from None
    tree = _parse(text, str(path))
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise InputError(f"{path}: found {_shown(tree)}, expected settings written as 'key: value'")
    return tree


@dataclass(frozen=True)
class Override:
    """One setting given by hand: a dotted key, its value, and what the user wrote, for messages."""

    key: str
    value: Any
    origin: str

    @staticmethod
    def parse(text: str) -> Override:
        """`section.key=value`, the value in YAML. Raises InputError."""
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {text}: expected key=value, for example --set seed=1")
        return Override(key.strip(), _parse(value, f"--set {text}"), f"--set {text}")

    @property
    def layer(self) -> tuple[str, Tree]:
        """Where it comes from, and the tree it stands for."""
        tree: Any = self.value
        for key in reversed(self.key.split(".")):
            tree = {key: tree}
        return self.origin, dict(tree)


def parse_values(text: str, origin: str) -> list[Any]:
    """The values of `value,value,...`, each in YAML. Raises InputError, which begins with `origin`."""
    found = _parse(f"[{text}]", origin)
    if not isinstance(found, list):
        raise InputError(f"{origin}: found {_shown(found)}, expected values, separated by commas")
    return found


def merged(base: Mapping[str, Any], top: Mapping[str, Any]) -> Tree:
    """`base` with everything that `top` says; sections are merged, all else is replaced."""
    tree = dict(base)
    for key, value in top.items():
        below = tree.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            tree[key] = merged(below, value)
        elif not (isinstance(below, Mapping) and value is None):  # an empty section says nothing
            tree[key] = value
    return tree


def build(model: type[S], layers: Iterable[tuple[str, Tree]]) -> S:
    """The checked settings from `layers` of (where it comes from, tree), later ones over earlier ones.

    Types are not stretched: a number is not a text, a yes is not a number. Raises InputError.
    """
    tree: Tree = model().model_dump(mode="json")
    settings = model()
    for origin, layer in layers:
        tree = merged(tree, layer)
        try:
            settings = model.model_validate_json(json.dumps(tree, default=str), strict=True)
        except ValidationError as error:
            raise InputError(f"{origin}: {_explain(model, error)}") from None
    return settings


def dump(settings: Settings, indent: int = 0) -> str:
    """The settings as YAML, each below its documentation. `build` gives the same settings from it."""
    margin = " " * indent
    blocks = []
    values = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, Settings):
            comment = _wrapped(field.description or value.__doc__ or "", margin + "# ")
            blocks.append(f"\n{comment}{margin}{name}:\n{dump(value, indent + 2)}".rstrip())
            continue
        comment = _wrapped(_documentation(field), margin + "# ")
        shown = _one_line(values[name])
        if yaml.safe_load(shown) != values[name]:  # YAML's own line breaks, as U+0085: they have to be escaped
            shown = _one_line(values[name], readable=False)
        shown = shown.removesuffix("...\n").removesuffix("\n").replace("\n", f"\n{margin}")
        blocks.append(f"{comment}{margin}{name}: {shown}")
    return "\n".join(blocks) + "\n"


def _one_line(value: Any, readable: bool = True) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=readable)
    return text


def closest(word: str, choices: Iterable[str]) -> str:
    """', did you mean 'x'?' for the choice nearest to `word`, or nothing."""
    choices = [choice for choice in choices if not word.startswith(f"{choice}.")]
    found = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if not found:  # the right key in the wrong section
        tails = {choice.rpartition(".")[2]: choice for choice in choices}
        tail = difflib.get_close_matches(word.rpartition(".")[2], list(tails), n=1, cutoff=0.8)
        found = [tails[name] for name in tail]
    return f", did you mean '{found[0]}'?" if found else ""


def _parse(text: str, origin: str) -> Any:
    try:
        tree = yaml.load(text, Loader=_Loader)  # a SafeLoader
        json.dumps(tree, default=str)  # as `build` does
        return tree
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{origin}: no valid YAML{place}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InputError(f"{origin}: no valid YAML: {' '.join(str(error).split())[:200]}") from None


def _explain(model: type[Settings], error: ValidationError) -> str:
    """The first of pydantic's complaints as half a sentence."""
    known = list(keys(model))
    details = error.errors(include_url=False)
    unknown = [e for e in details if e["type"] == "extra_forbidden"]
    if unknown:
        key = ".".join([_dotted(unknown[0]), *_first_path(unknown[0]["input"])])
        return f"unknown setting '{key}'{closest(key, known) or _siblings(key, known)}"
    key = _known_part(_dotted(details[0]), known)
    alike = [e for e in details if _known_part(_dotted(e), known) == key]
    wanted = list(dict.fromkeys(_expectation(e) for e in alike))
    if all(e["type"] in ("value_error", "assertion_error") for e in alike):
        return f"setting '{key}': {wanted[0]}" if key else wanted[0]
    outermost = min(alike, key=lambda e: len(e["loc"]))
    allowed = re.findall(r"'([^']*)'", outermost.get("ctx", {}).get("expected", ""))
    hint = closest(str(outermost["input"]), allowed)
    return f"setting '{key}' is {_shown(outermost['input'])}, expected {' or '.join(wanted)}{hint}"


def _first_path(value: Any) -> list[str]:
    """The keys down to the first leaf of a tree."""
    if not isinstance(value, dict) or not value:
        return []
    key = next(iter(value))
    return [str(key), *_first_path(value[key])]


def _dotted(error: ErrorDetails) -> str:
    return ".".join(str(part) for part in error["loc"])


def _known_part(key: str, known: list[str]) -> str:
    """Pydantic appends the branch of a union to the key; settings are named without it."""
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        head = ".".join(parts[:end])
        if head in known:
            items = [p for p in parts[end:] if p.isdigit()]
            return ".".join([head, *items])
    return key


def _expectation(error: ErrorDetails) -> str:
    if error["type"] in ("model_type", "model_attributes_type"):
        return "a section (lines of 'key: value')"
    text = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    text = f"a number {text}" if text.startswith(("greater", "less")) else text
    return _PLAIN.get(text, text)


def _documentation(field: FieldInfo) -> str:
    """The field's text with its bounds, `[1, 100]` and the like."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    text = field.description or ""
    return f"{text} [{', '.join(bounds)}]" if bounds else text


def _siblings(key: str, known: list[str]) -> str:
    section = key.rpartition(".")[0]
    names = [k for k in known if k.rpartition(".")[0] == section]
    return f", expected one of: {', '.join(names)}" if names else ""


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _wrapped(text: str, prefix: str) -> str:
    paragraph = " ".join(text.split())
    return "".join(
        line + "\n" for line in textwrap.wrap(paragraph, 100, initial_indent=prefix, subsequent_indent=prefix)
    )
