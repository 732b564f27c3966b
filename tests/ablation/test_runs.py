"""One run: its figures, its files, and what makes it another run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from meshopt import parallel
from meshopt.ablation import runs
from meshopt.ablation.objects import Subject
from meshopt.ablation.plan import Damage, Input, Variant
from meshopt.ablation.runs import RUN_FILES, Row, Run, Task, execute, figures, kept
from meshopt.config import load_config
from meshopt.evaluate.evaluation import evaluate
from meshopt.io.meshes import load_mesh
from meshopt.report.comparison import SIDE

QUICK = [
    *("initial.grid=48", "initial.depth=48", "texture.kind=none", "evaluate.samples=2000"),
    *("optimize.coarse_steps=8", "optimize.fine_steps=4", "optimize.refine_steps=2"),
]
TURNED = Input("corrupted", (Damage("rotate_all", 30.0),), 1)


@pytest.fixture(scope="module")
def task(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Task:
    variant = Variant(load_config(None, [*QUICK, "check.enabled=false"]), (("check.enabled", False),))
    return Task(Run(subject, subject.fingerprint(), TURNED, variant), tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def rows(task: Task) -> Iterator[tuple[Row, Row]]:
    """Of the reference and of turned normals."""
    with parallel.limit(1):
        first = execute(replace(task, run=replace(task.run, input=Input("reference"))))
        yield first, execute(task)


def test_a_row_says_what_was_done_and_what_came_of_it(rows: tuple[Row, Row]) -> None:
    first, turned = rows
    assert [turned[name] for name in ("object", "input", "kind", "strength", "input_seed", "check.enabled")] == [
        "egg", "rotate_all 30", "rotate_all", "30", 1, False,
    ]  # fmt: skip
    assert first["input_deg"] == pytest.approx(0, abs=1e-3)
    assert 5 < turned["input_deg"] < 30
    assert turned["mended_deg"] == pytest.approx(turned["input_deg"], abs=0.01)  # nothing is mended
    assert turned["closed"]
    assert turned["chamfer_pct"] > 1.5 * first["chamfer_pct"]
    assert turned["view_normal_deg"] > first["view_normal_deg"] + 1
    assert "verdict" not in turned


def test_rows_are_what_an_evaluation_of_the_file_says(rows: tuple[Row, Row], task: Task, subject: Subject) -> None:
    mesh = load_mesh(task.folder / task.run.name / "mesh.glb")
    found = figures(evaluate(mesh, subject.truth, subject.reference, task.run.variant.config.evaluate))
    for name, value in found.items():
        assert rows[1][name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_runs_are_kept(rows: tuple[Row, Row], task: Task) -> None:
    assert kept(task) == json.loads(json.dumps(rows[1]))
    assert {path.name for path in (task.folder / task.run.name).iterdir()} == set(RUN_FILES)
    record = json.loads((task.folder / task.run.name / "run.json").read_text())
    assert record["report"]["topology"]["faces"] == rows[1]["faces"]
    with Image.open(task.folder / task.run.name / "tiles.png") as image:
        assert image.size == (6 * SIDE, 3 * SIDE)
        assert np.asarray(image).std() > 10


def test_generated_views_can_be_mended(task: Task, subject: Subject, rows: tuple[Row, Row]) -> None:
    """With the checks on, what is turned for certain is turned back, and the row says how far."""
    config = load_config(None, QUICK)
    run = replace(task.run, variant=Variant(config), input=Input("corrupted", (Damage("rotate", 30.0),), 1))
    with parallel.limit(1):
        row = execute(replace(task, run=run))
    assert row["corrections"] >= 1
    assert row["verdict"] == "inconsistent"
    assert row["mended_deg"] < row["input_deg"] / 2


@pytest.mark.parametrize("damage", ["absent", "half"])
def test_what_is_not_whole_is_not_kept(damage: str, task: Task, rows: tuple[Row, Row], tmp_path: Path) -> None:
    copy = replace(task, folder=tmp_path)
    place = tmp_path / task.run.name
    place.mkdir()
    for name in RUN_FILES:
        (place / name).write_bytes((task.folder / task.run.name / name).read_bytes())
    assert kept(copy) is not None
    if damage == "absent":
        (place / "mesh.glb").unlink()
    else:
        (place / "run.json").write_bytes((place / "run.json").read_bytes()[:100])
    assert kept(copy) is None


def test_another_run_has_another_name(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    run = task.run
    others = [
        replace(run, content="other"),
        replace(run, input=replace(run.input, seed=2)),
        replace(run, input=Input("reference")),
        replace(run, variant=Variant(load_config(None, [*QUICK, "seed=3"]))),
    ]
    assert len({one.name for one in [run, *others]}) == 5
    assert replace(run, input=replace(run.input)).name == run.name
    long = [Input("corrupted", (Damage("rotate_all", 1.0),) * 20, seed) for seed in (1, 2)]
    names = {replace(run, input=one).name for one in long}
    assert len(names) == 2
    assert max(map(len, names)) < 120
    assert replace(run, variant=replace(run.variant, varied=())).name == run.name  # the same figures
    before = run.name
    monkeypatch.setattr(runs, "__version__", "0.0.0")
    assert run.name != before
