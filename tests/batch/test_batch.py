"""A whole batch: every asset comes to its end, whatever the others do, and what is done is not done again."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshopt.batch import Options, Plan, Totals, make_plan, run_batch
from meshopt.batch.batch import missing, opened_status
from meshopt.batch.engines import Engine, Limits, this_machine
from meshopt.batch.status import Record, Status
from meshopt.batch.summary import write_summary
from meshopt.config import load_config
from meshopt.errors import InputError
from meshopt.settings import Override

Named = Callable[..., Options]
posix = pytest.mark.skipif(os.name == "nt", reason="signals")


def done(options: Options, engine: Engine) -> tuple[Plan, Totals, list[Record]]:
    tries: list[Record] = []
    with opened_status(options) as status:
        plan = make_plan(options, status)
        totals = run_batch(plan, engine, status, lambda record, totals: tries.append(record))
        write_summary(status, options.output)
    assert multiprocessing.active_children() == []
    return plan, totals, tries


def lines(options: Options) -> list[Record]:
    found = [json.loads(line) for line in (Path(options.output) / "status.jsonl").read_text().splitlines()]
    assert (found[0]["schema"], found[0]["assets"]) == (1, found[0]["left"])
    return [record for record in found if "asset" in record]


@posix
def test_no_end_of_an_asset_is_another_s(named: Named, faulty: Callable[..., Engine], tmp_path: Path) -> None:
    fates = {
        "kill": ("kill", 2, "the process was killed by signal 9"),
        "exit": ("crash", 2, "ended itself with exit code 5"),
        "hang": ("time", 2, "took longer than 2 s"),
        "eat": ("memory", 2, "needed more than 0.25 GiB of memory"),
        "disk": ("disk", 2, "file: No space left on device"),
        "wrong": ("input", 1, "wrong: no image."),
        "bug": ("bug", 1, "KeyError: 'bug' (errors/bug.txt shows where)"),
    }
    fine = [f"fine_{number}" for number in range(8)]
    mended = [f"once_{name}" for name in fates if name not in ("wrong", "bug")]
    options = named(*fates, *fine, *mended)
    engine = faulty(2, Limits(2, 2**28), folder=tmp_path)
    plan, totals, tries = done(options, engine)
    assert (plan.total, totals.done, totals.failed, totals.retried) == (20, 13, 7, 10)
    assert sorted(totals.failures) == sorted(fates)
    assert lines(options) == [json.loads(json.dumps(record)) for record in tries]
    last = {record["asset"]: record for record in tries}
    assert len(last) == 20
    for name, (cause, attempts, sentence) in fates.items():
        found = last[name]
        assert (found["state"], found["cause"], found["attempt"]) == ("failed", cause, attempts)
        assert sentence in found["error"]
        assert "\n" not in found["error"]
    assert all(last[name]["state"] == "done" for name in [*fine, *mended])
    assert {last[name]["attempt"] for name in mended} == {2}
    assert "in misbehave" in (tmp_path / "out/errors/bug.txt").read_text()
    rows = (tmp_path / "out/summary.csv").read_text().splitlines()
    assert len(rows) == 21
    assert rows[0].startswith("asset,state,attempts,seconds,verdict,")


def test_what_failed_is_tried_again_and_what_is_done_is_not(
    named: Named, faulty: Callable[..., Engine], tmp_path: Path
) -> None:
    options = named("a", "b_once_bug", "c_once_wrong")
    _, totals, _ = done(options, faulty(1, folder=tmp_path))
    assert (totals.done, totals.failed) == (1, 2)
    assert (tmp_path / "out/errors/b_once_bug.txt").is_file()
    plan, totals, _ = done(replace(options, resume=True), faulty(1, folder=tmp_path))
    assert plan.total == 3
    assert not (tmp_path / "out/errors/b_once_bug.txt").exists()
    assert (tmp_path / "out/summary.csv").read_text().count(",done,") == 3


def test_an_output_with_a_batch_is_left_alone(named: Named, faulty: Callable[..., Engine], tmp_path: Path) -> None:
    options = named("a")
    done(options, faulty(1, folder=tmp_path))
    before = lines(options)
    with pytest.raises(InputError, match="already holds a batch; go on with --resume"):
        done(options, faulty(1, folder=tmp_path))
    assert lines(options) == before
    wrong = replace(options, overwrite=True, settings=(Override.parse("output.faces=3"),))
    with pytest.raises(InputError, match=r"output\.faces"):
        done(wrong, faulty(1, folder=tmp_path))
    assert lines(options) == before
    done(replace(options, overwrite=True), faulty(1, folder=tmp_path))
    assert len(lines(options)) == 1


def test_nothing_is_left_of_a_batch_that_does_not_begin(named: Named, tmp_path: Path) -> None:
    options = named("a", settings=(Override.parse("output.faces=3"),))
    with opened_status(options) as status, pytest.raises(InputError, match=r"output\.faces"):
        make_plan(options, status)
    (tmp_path / "a.csv").write_text("name,views\n../x,v\n" + "..,v\n" * 3)
    options = Options(str(tmp_path / "a.csv"), str(tmp_path / "out"))
    with opened_status(options) as status, pytest.raises(InputError, match=r"line 2: .*\(3 more such lines\)"):
        make_plan(options, status)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dry", [False, True])
def test_an_empty_output_stays(dry: bool, named: Named, tmp_path: Path) -> None:
    options = named("a")
    (tmp_path / "out").mkdir()
    with opened_status(options, dry):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_a_dry_run_changes_nothing(assets: Path, tmp_path: Path) -> None:
    options = Options(str(assets), str(tmp_path / "out"))
    with opened_status(options, dry=True) as status:
        plan = make_plan(options, status)
        (problem,) = missing(plan)
    assert (plan.total, plan.left) == (3, 3)
    assert problem.startswith("void: ")
    assert "holds no images" in problem
    assert not (tmp_path / "out").exists()
    with opened_status(options) as status:
        status.append({"asset": "one", "state": "failed"})
    before = (tmp_path / "out/status.jsonl").read_bytes()
    with opened_status(replace(options, overwrite=True), dry=True) as status:
        assert make_plan(options, status).left == 3
    assert (tmp_path / "out/status.jsonl").read_bytes() == before


@posix
def test_links_in_the_output(assets: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "other").mkdir()
    for name in ("errors", "status.jsonl"):
        (tmp_path / "out" / name).symlink_to(tmp_path / "other")
        with pytest.raises(InputError, match="is a link"), opened_status(Options(str(assets), str(tmp_path / "out"))):
            pass
        (tmp_path / "out" / name).unlink()
    with pytest.raises(InputError, match="the assets are there"), opened_status(Options(str(assets), str(assets))):
        pass


def test_processes_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(overrides=["device=cpu"])
    monkeypatch.setattr("meshopt.parallel.cores", lambda: 16)
    monkeypatch.setattr("meshopt.hardware.memory", lambda: 20.0)
    assert this_machine(config, None, Limits()).processes == 10
    assert this_machine(config, 3, Limits()).processes == 3
    with pytest.raises(InputError, match="--gpus-per-asset"):
        this_machine(config, None, Limits(gpu=0.25))
    monkeypatch.setattr("meshopt.batch.engines._gpus", lambda config: (("0", "1"), 2))
    shared = this_machine(config, None, Limits(gpu=0.25))
    assert (shared.processes, shared.gpus) == (8, ("0", "1"))
    assert this_machine(config, None, Limits()).processes == 2


KILLED = (
    "import sys\n"
    "sys.path[:0] = sys.argv[1:2]\n"
    "from functools import partial\n"
    "from pathlib import Path\n"
    "import batch_tasks\n"
    "from meshopt.batch import Machine, Options, make_plan, run_batch\n"
    "from meshopt.batch.batch import opened_status\n"
    "class Engine(Machine):\n"
    "    def work(self, function, tasks, processes):\n"
    "        yield from super().work(partial(batch_tasks.misbehave, Path(sys.argv[4])), tasks, processes)\n"
    "if __name__ == '__main__':\n"
    "    options = Options(sys.argv[2], sys.argv[3], resume=True)\n"
    "    with opened_status(options) as status:\n"
    "        print('go', flush=True)\n"
    "        run_batch(make_plan(options, status), Engine(2), status)\n"
)


@posix
def test_killed_at_any_moment_it_goes_on(named: Named, tmp_path: Path) -> None:
    """What the status says is done stays so: no later run does it again, and every asset is done in the end."""
    options = named(*(f"a{number}" for number in range(60)))
    (tmp_path / "script.py").write_text(KILLED)
    (tmp_path / "tries").mkdir()
    paths = [Path(__file__).parent, options.assets, options.output, tmp_path / "tries"]
    command = [sys.executable, str(tmp_path / "script.py"), *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None and len(_said(options)) < 5:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    said = _said(options)
    assert 5 <= len(said) < 60
    assert all((tmp_path / "tries" / f"{name}.done").is_file() for name in said)
    with opened_status(replace(options, resume=True)) as status:
        assert set(status.places) == set(said)
        assert not list(Path(options.output).glob(".meshopt-*"))


def _said(options: Options) -> list[str]:
    """Assets of whole lines of the status."""
    file = Path(options.output) / "status.jsonl"
    text = file.read_text() if file.exists() else ""
    found = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [record["asset"] for record in found if "asset" in record]


def test_what_changed_is_done_again(assets: Path, tmp_path: Path, quick: tuple[Override, ...], inline: Engine) -> None:
    """Without processes, as the results are real."""
    shutil.rmtree(assets / "void")
    options = Options(str(assets), str(tmp_path / "out"), quick)
    assert done(options, inline)[1].done == 2
    resumed = replace(options, resume=True)
    assert done(resumed, inline)[0].left == 0
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("mesh.glb")}
    image = next((assets / "one/views").iterdir())
    os.utime(image, ns=(1, 1))
    (tmp_path / "out/two/.meshopt-left").mkdir()
    assert left(resumed) == 1
    assert done(resumed, inline)[0].done == {"two"}
    changed = [path.parent.name for path, when in times.items() if path.stat().st_mtime_ns != when]
    assert changed == ["one"]
    (tmp_path / "out/two/mesh.glb").unlink()
    assert left(resumed) == 1
    assert left(replace(resumed, settings=(*quick, Override.parse("seed=1")))) == 2


def left(options: Options) -> int:
    with opened_status(options, dry=True) as status:
        return make_plan(options, status).left


def test_two_batches_at_once(named: Named, faulty: Callable[..., Engine], tmp_path: Path) -> None:
    options = named("a")
    with opened_status(options) as status:
        assert isinstance(status, Status)
        with pytest.raises(InputError, match="another batch"), opened_status(options):
            pass


def test_from_a_storage_to_a_storage(
    far: tuple[Any, str], assets: Path, quick: tuple[Override, ...], inline: Engine
) -> None:
    system, url = far
    shutil.rmtree(assets / "two")
    system.put(str(assets), f"{url}/in", recursive=True)
    system.pipe(f"{url}/in.jsonl", b'{"name": "one", "folder": "in/one"}\n{"name": "void", "folder": "in/void"}\n')
    options = Options(f"{url}/in.jsonl", f"{url}/out", quick)
    _, totals, tries = done(options, inline)
    assert (totals.done, totals.failures) == (1, ["void"])
    assert tries[1]["error"].startswith(f"{url}/in/void: ")
    assert system.cat(f"{url}/out/summary.csv").count(b"\n") == 3
    assert system.exists(f"{url}/out/one/mesh.glb")
    with pytest.raises(InputError, match="already holds a batch"):
        done(options, inline)
    assert left(replace(options, resume=True)) == 1
    assert done(replace(options, overwrite=True), inline)[1].done == 1
