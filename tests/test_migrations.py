"""Files of older versions, and of newer ones."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import pytest

import meshopt
from meshopt.config import Config, dump_config, load_config, settings_schema
from meshopt.errors import InputError, MeshoptWarning
from meshopt.io.camera_files import read_cameras
from meshopt.migrations import GONE, MIGRATIONS, migrated, schema
from meshopt.report.record import encode_record
from meshopt.settings import keys

ROOT = Path(__file__).parents[1]
OLD = sorted((Path(__file__).parent / "cases" / "settings").glob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("front_push_and_keep_cost", ["initial.front_push = 0.001", "initial.sight_cost took its place"]),
        ("patch_as_odds", ["check.patch = 1.5", "logarithm of odds"]),
        ("evaluate_crease", ["evaluate.crease = 50.0"]),
    ],
)
def test_settings_of_older_versions_load(name: str, said: list[str]) -> None:
    (file,) = (file for file in OLD if file.stem == name)
    with pytest.warns(MeshoptWarning) as caught:
        config = load_config(file)
    (message,) = {str(warning.message) for warning in caught}
    assert message.startswith(f"{file}: written for an older meshopt; ")
    assert all(words in message for words in said)
    assert config.check.patch == Config().check.patch
    assert config.initial.smoothing == Config().initial.smoothing


def test_what_is_kept_keeps_its_value() -> None:
    with pytest.warns(MeshoptWarning):
        config = load_config(next(file for file in OLD if "keep_cost" in file.stem))
    assert (config.initial.sweeps, config.optimize.edge_end, config.optimize.refine_consensus) == (5, 4.0, 0.5)


def test_settings_that_are_gone_are_gone() -> None:
    assert not set(GONE) & set(keys(Config))


def test_settings_without_a_schema_may_have_todays_meaning(tmp_path: Path) -> None:
    """A file written by hand, with the angle that check.patch is now."""
    (tmp_path / "mine.yaml").write_text("check: {patch: 7.5}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_config(tmp_path / "mine.yaml").check.patch == 7.5


def test_settings_of_today_are_read_as_they_are(tmp_path: Path) -> None:
    """A key that went before their schema is an unknown one there."""
    text = dump_config(Config())
    assert text.splitlines()[:2] == [
        f"written_by: meshopt {meshopt.__version__} # every setting; use it with --config FILE",
        f"schema: {schema('settings')}",
    ]
    (tmp_path / "config.yaml").write_text(text.replace("\ninitial:\n", "\ninitial:\n  keep_cost: 6.0\n"))
    with pytest.raises(InputError, match=r"unknown setting 'initial\.keep_cost'"):
        load_config(tmp_path / "config.yaml")


def test_migrating_leaves_its_input_alone() -> None:
    tree = {"initial": {"keep_cost": 6.0, "grid": 64}, "check": None}
    result, notes = migrated("settings", tree, "x")
    assert tree["initial"] == {"keep_cost": 6.0, "grid": 64}
    assert result == {"initial": {"grid": 64}, "check": None, "schema": schema("settings")}
    assert len(notes) == 1


@pytest.mark.parametrize("kind", list(MIGRATIONS))
@pytest.mark.parametrize("found", ["two", 0, -1, True, 1.5, None])
def test_a_schema_is_a_number(kind: str, found: object) -> None:
    with pytest.raises(InputError, match=r"^x: its schema is .*, expected a whole number from 1 to \d$"):
        migrated(kind, {"schema": found}, "x")


def test_files_of_newer_versions_are_refused_in_a_sentence(tmp_path: Path) -> None:
    """Settings, reports and cameras: it says who wrote them."""
    newer = {kind: schema(kind) + 1 for kind in MIGRATIONS}
    (tmp_path / "config.yaml").write_text(f"written_by: meshopt 9.1\nschema: {newer['settings']}\nunheard_of: 1\n")
    (tmp_path / "report.json").write_text(json.dumps({"schema": newer["report"], "version": "9.1"}))
    head = {"schema": newer["cameras"], "written_by": "meshopt 9.1 render"}
    (tmp_path / "cameras.json").write_text(json.dumps({**head, "views": [{"name": "a", "azimuth": 0}]}))
    for read, name in ((load_config, "config"), (meshopt.load_report, "report"), (read_cameras, "cameras")):
        (file,) = tmp_path.glob(f"{name}.*")
        with pytest.raises(InputError) as caught:
            read(file)
        message = str(caught.value)
        assert re.search(rf"{re.escape(str(file))}: is of schema \d, written by meshopt 9\.1", message), message
        assert message.endswith("at most; a newer meshopt reads it")


def test_reports_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(encode_record({"version": "0.1.0", "score": 1.5}))
    assert meshopt.load_report(tmp_path) == {"schema": schema("report"), "version": "0.1.0", "score": 1.5}


@pytest.mark.parametrize("content", ["", "[1]", "{}", "{"])
def test_what_is_no_report_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(InputError, match="expected a report"):
        meshopt.load_report(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        meshopt.load_report(tmp_path / "none.json")


def test_json_schema_knows_every_setting() -> None:
    tree = json.loads(settings_schema())
    sections = {name: tree["$defs"].get(field.get("$ref", "").rpartition("/")[2]) for name, field in
                tree["properties"].items()}  # fmt: skip
    assert {"written_by", "schema", *(key for key in keys(Config) if "." not in key)} == set(sections)
    assert "coarse_steps" in sections["optimize"]["properties"]
    assert sections["optimize"]["additionalProperties"] is False
    assert tree["properties"]["seed"]["description"] == "Seed of every random number."


def test_what_changed_is_listed() -> None:
    """docs/schemas.md has a row for every schema that there ever was."""
    text = (ROOT / "docs" / "schemas.md").read_text(encoding="utf-8")
    for kind in MIGRATIONS:
        rows = re.findall(rf"^\| {kind} \| (\d+) \|", text, re.MULTILINE)
        assert rows == [str(number) for number in range(1, schema(kind) + 1)]
    assert all(f"`{key}`" in text for key in GONE)


def test_deep_trees_are_no_traceback() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert migrated("cameras", {"views": deep}, "a.json")[0]["schema"] == 1
    with pytest.raises(InputError, match=r"^a\.yaml: is nested too deeply$"):
        migrated("settings", {"check": deep}, "a.yaml")
    with pytest.raises(InputError, match=r"^a\.json: its schema is list, expected a whole number"):
        migrated("report", {"schema": deep}, "a.json")
