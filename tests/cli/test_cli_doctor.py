"""`meshopt doctor`: words, JSON and exit code."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from meshopt import diagnosis, raster
from meshopt.cli import run
from meshopt.diagnosis import Diagnosis, Finding

FACTS = diagnosis.diagnose()


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "diagnose", lambda: FACTS)


def pretend(monkeypatch: pytest.MonkeyPatch, facts: Diagnosis) -> None:
    monkeypatch.setattr(diagnosis, "diagnose", lambda: facts)


def test_says_what_is_there(facts: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for name in raster.BACKENDS:
        assert name in said.out
    for words in (f"meshopt {FACTS.meshopt}", "torch 2", "numba 0", "taken by auto", "Ready: meshopt reconstruct runs"):
        assert words in said.out


def test_reasons_and_commands_stand_on_lines_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "pip install git+https://somewhere.example/" + "very-long-" * 20 + "name"
    pretend(monkeypatch, replace(FACTS, findings=[Finding("nvdiffrast", "it is not installed", command)]))
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines.index(f"    {command}") == lines.index("- nvdiffrast: it is not installed.") + 1


def test_json_is_the_same_facts(facts: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == diagnosis.as_plain(FACTS)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_obstacle_is_one_sentence_and_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    obstacle = Finding("torch", "its import fails (ImportError: libgomp)", 'pip install "torch"')
    broken = replace(FACTS, torch=None, numba=None, rasterisers=[], memory_gib=None, obstacle=obstacle)
    pretend(monkeypatch, broken)
    assert run(["doctor", *flags]) == 2
    said = capsys.readouterr()
    assert said.err == (
        "Error: meshopt reconstruct cannot run here: torch: its import fails (ImportError: libgomp); "
        'this mends it: pip install "torch".\n'
    )
    assert "Ready" not in said.out
