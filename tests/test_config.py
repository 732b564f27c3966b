"""The settings tree, its presets and files."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from meshopt.config import (
    QUALITIES,
    Config,
    configs_folder,
    dump_config,
    load_config,
    presets,
    save_config,
    setting_keys,
)
from meshopt.errors import InputError
from meshopt.settings import Settings
from meshopt.views import LoadOptions


def _fields(model: type[Settings], prefix: str = "") -> list[tuple[str, FieldInfo]]:
    found = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            found += _fields(field.annotation, f"{prefix}{name}.")
        else:
            found.append((prefix + name, field))
    return found


@pytest.mark.parametrize(("key", "field"), _fields(Config), ids=[key for key, _ in _fields(Config)])
def test_every_setting_is_documented_and_bounded(key: str, field: FieldInfo) -> None:
    assert field.description
    kinds = re.sub("'[^']*'", "", str(field.annotation)).replace("Literal", "")  # types, not the words to choose from
    if "int" in kinds or "float" in kinds:
        bounds = {type(rule).__name__ for rule in field.metadata} | set(re.findall(r"\b(Ge|Gt|Le|Lt)\(", kinds))
        assert bounds & {"Ge", "Gt"}, f"{key} has no lower bound"
        assert bounds & {"Le", "Lt"}, f"{key} has no upper bound"


def test_default_file_lists_every_setting() -> None:
    """Made again by `meshopt config > configs/default.yaml`."""
    text = (configs_folder() / "default.yaml").read_text()
    assert text.splitlines()[1:] == dump_config(Config()).splitlines()[1:]
    assert load_config("default") == Config()


@pytest.mark.parametrize("name", presets())
def test_presets_are_valid(name: str) -> None:
    config = load_config(name)
    if name != "default":
        assert config.views.rig == name
        assert config.views.normal_frame != "auto"


@pytest.mark.parametrize("name", QUALITIES)
def test_quality_changes_the_defaults_below_everything_else(name: str, tmp_path: Path) -> None:
    config = load_config("wonder3d", [f"quality={name}", "optimize.fine_steps=7"])
    assert config.quality == name
    assert config.views.rig == "wonder3d"
    assert config.optimize.fine_steps == 7
    assert config.optimize.refine_steps != Config().optimize.refine_steps
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config


def test_presets_are_the_generators() -> None:
    rigs = {file.stem for file in (configs_folder() / "rigs").glob("*.yaml")}
    assert {"unique3d", "wonder3d", "era3d", "pshuman", "zero123plus"} <= set(presets())
    assert set(presets()) - {"default"} <= rigs


def test_saved_settings_come_back(tmp_path: Path) -> None:
    config = load_config("era3d", ["seed=7", "output.formats=[ply, obj]", "output.faces=12345"])
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config


def test_overrides_go_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 3\nviews:\n  rig: era3d\noutput:\n")
    config = load_config(str(file), ["seed=4", "views={matting: alpha}"])
    assert (config.seed, config.views.rig, config.views.matting) == (4, "era3d", "alpha")
    assert load_config(str(file)).seed == 3


def test_nothing_given_is_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config() == load_config(tmp_path / "empty.yaml") == Config()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("uniqe3d", ["uniqe3d", "no such file or preset", "did you mean 'unique3d'?"]),
        ("missing/file.yaml", ["missing/file.yaml", "no such file", "wonder3d"]),
        ("/", ["is a folder", "YAML"]),
    ],
)
def test_unknown_source_is_named(source: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_config(source)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("veiws: {rig: era3d}", ["unknown setting 'veiws.rig'", "did you mean 'views.rig'?"]),
        ("seed: -1", ["'seed' is -1", "greater than or equal to 0"]),
        ("seed: yes", ["'seed' is true", "whole number"]),
        ("views: {resolution: 12.5}", ["'views.resolution' is 12.5", "whole number"]),
        ("views: {normal_frame: wrold}", ['"wrold"', "did you mean 'world'?"]),
        ("views: 3", ["'views' is 3", "section"]),
        ("- 1\n- 2", ["[1, 2]", "key: value"]),
        ("seed: 1\nseed: 2", ["line 2", "'seed' is there twice"]),
        ("seed: [1", ["no valid YAML in line"]),
        ("seed: \0", ["no valid YAML"]),
        ("views: !!python/object:os.system {}", ["no valid YAML"]),
    ],
)
def test_bad_files_are_one_clear_sentence(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_config(file)
    message = str(caught.value)
    assert str(file) in message
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_binary_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(b"\xff\xfe\x00\x01\xff")
    with pytest.raises(InputError, match="not a text file"):
        load_config(file)


def test_keys_are_those_of_the_default_file() -> None:
    assert {"seed", "views", "views.rig", "output.formats"} <= set(setting_keys())


def test_view_settings_are_those_of_the_loader() -> None:
    """Each of them reaches `load_views`, and means the same when it is not given."""
    defaults = Config().views.model_dump(exclude={"rig"})
    assert defaults == asdict(LoadOptions())
