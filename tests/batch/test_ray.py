"""The same on a Ray cluster of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from meshopt.batch.engines import Limits
from meshopt.batch.ray_engine import cluster
from meshopt.errors import InputError
from meshopt.workers import Outcome

pytest.importorskip("ray")
pytestmark = pytest.mark.slow


def test_no_end_of_a_task_is_another_s(
    faulty: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    from batch_tasks import misbehave

    from meshopt.batch import Asset

    names = ["fine_1", "kill", "exit", "hang", "bug", "wrong", "eat", "fine_2", "fine_3"]
    with cluster(None, 2, Limits(3, 2**29)) as engine:
        assets = (Asset(name, None) for name in names)
        outcomes: dict[str, Outcome[object]] = {
            names[outcome.index]: outcome for outcome in engine.work(partial(misbehave, tmp_path), assets, 2)
        }
    assert {name: outcome.cause for name, outcome in outcomes.items()} == {
        "fine_1": None, "kill": "crash", "exit": "crash", "hang": "time", "bug": "bug", "wrong": "input",
        "eat": "crash", "fine_2": None, "fine_3": None,
    }  # fmt: skip
    assert outcomes["hang"].error == "took longer than 3 s"
    assert outcomes["wrong"].error == "wrong: no image."
    assert all(outcomes[name].result is not None for name in names if name.startswith("fine"))
    assert {(tmp_path / f"{name}.done").read_text() for name in names if "fine" in name}.isdisjoint({str(os.getpid())})


def test_no_cluster_there() -> None:
    there = pytest.raises(InputError, match=r"--ray-address 127\.0\.0\.1:1: no cluster can be reached there")
    with there, cluster("127.0.0.1:1", None, Limits()):
        pass
