"""What shells offer for the values of options and arguments. Nothing heavy is imported for it, but for names of models
and settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from click.shell_completion import CompletionItem

Complete = Callable[[str], list[CompletionItem]]

WORDS = {  # parameter: its values
    "normal_frame": ("auto", "camera", "front", "world"),
    "normal_axes": ("auto", "opengl", "opencv", "directx"),
    "matting": ("auto", "alpha", "normals", "background", "rembg", "none"),
    "init": ("auto", "carved", "hull", "normals", "sphere"),
    "quality": ("fast", "default", "best"),
    "texture": ("atlas", "vertex", "none"),
    "bake": ("blend", "optimize"),
    "align": ("none", "bbox", "icp"),
    "fit": ("none", "box", "sphere"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "backend": ("auto", "cpu", "nvdiffrast", "drtk", "pytorch3d"),
    "dtype": ("auto", "float32", "float16", "bfloat16"),
    "offload": ("none", "model", "sequential"),
    "names": ("rig", "plain"),
    "background": ("alpha", "white", "grey", "black"),
    "sides": ("both", "front"),
    "toggle": ("corrections", "robust"),
}
LISTS = {"formats": ("glb", "gltf", "obj", "ply"), "layers": ("rgb", "normals", "masks", "depth")}  # with commas


def complete(name: str | None, metavar: str | None, incomplete: str) -> list[CompletionItem]:
    """For the beginning of a value of the parameter of that name, whose kind its metavar says."""
    if name in LISTS:
        return _list(LISTS[name], incomplete)
    kinds = (metavar or "").strip("[].").split("|")
    found = _beginning(WORDS.get(name or "", ()), incomplete)
    found += [item for kind in kinds if (kind, name) in NAMES for item in NAMES[kind, name](incomplete)]
    places = {PLACES[kind] for kind in kinds if kind in PLACES}
    if found or not places:
        return found
    return [CompletionItem(incomplete, type="file" if "file" in places else "dir")]


def _rigs(incomplete: str) -> list[CompletionItem]:
    return _beginning(("auto", "turntable:", *_configs("rigs/*.yaml")), incomplete)


def _presets(incomplete: str) -> list[CompletionItem]:
    return _beginning(_configs("*.yaml"), incomplete)


def _settings(incomplete: str) -> list[CompletionItem]:
    """Their keys with an equals sign."""
    from meshopt.config import setting_keys

    known = setting_keys()
    sections = {key.rpartition(".")[0] for key in known}
    return _beginning((f"{key}=" for key in known if key not in sections), incomplete)


def _models(incomplete: str) -> list[CompletionItem]:
    from meshopt.generate.registry import normal_models, view_models

    return _beginning((*view_models(), *normal_models()), incomplete)


NAMES: dict[tuple[str, str | None], Complete] = {  # kind, parameter
    ("NAME", "rig"): _rigs,
    ("NAME", "model"): _models,
    ("PRESET", "source"): _presets,
    ("KEY=VALUE", "overrides"): _settings,
}
PLACES = {  # kind: what the shell finds itself
    "DIR": "dir",
    **dict.fromkeys(("SHEET", "FILE", "MESH", "IMAGE", "MANIFEST", "OBJECT", "OUT"), "file"),
}


def _list(choices: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The last word of a list with commas; none twice."""
    head, comma, last = incomplete.rpartition(",")
    left = [choice for choice in choices if choice not in head.split(",")]
    return [CompletionItem(f"{head}{comma}{item.value}") for item in _beginning(left, last)]


def _beginning(choices: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(choice) for choice in choices if choice.startswith(incomplete)]


def _configs(pattern: str) -> list[str]:
    spec = find_spec("meshopt.configs")
    folder = None if spec is None or spec.origin is None else Path(spec.origin).parent
    return [] if folder is None else sorted(file.stem for file in folder.glob(pattern))
