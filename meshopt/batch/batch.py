"""A whole batch: what there is to do, and doing it; what becomes of one asset is nothing to the others."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from meshopt import __version__
from meshopt.batch import storage
from meshopt.batch.assets import Asset, read_assets
from meshopt.batch.engines import Engine
from meshopt.batch.inputs import fingerprint, settings_hash
from meshopt.batch.jobs import Job, Maker
from meshopt.batch.status import NAME, Record, Status, StoredStatus
from meshopt.config import Config, load_config
from meshopt.errors import InputError
from meshopt.io.files import check_folder, remove_leftovers, write_file
from meshopt.settings import Override
from meshopt.worker_process import Outcome

SCHEMA = 1  # of the status: raised when a key changes its meaning or goes
ALONE = ("memory", "kill")  # causes that may be gone where nothing else fills the memory; tried again one by one
RETRIED = (*ALONE, "crash", "time", "disk")  # causes that may be gone the next time
ERRORS = "errors"  # the folder of tracebacks
MOST_PROBLEMS = 100  # after which a manifest is read no further
MOST_NAMED = 10  # failures that `Totals` names


@dataclass(frozen=True)
class Options:
    """What a batch is to be.

    `assets`: a folder of them, or a manifest; `output`: a folder; both paths or URLs. `settings` go over the defaults,
    those of an asset over these. `resume`: leave what is done and has not changed; `overwrite`: begin anew. `retries`:
    how often an asset is tried again whose process crashed, was killed, needed too much time or memory, or whose disk
    failed.
    """

    assets: str
    output: str
    settings: tuple[Override, ...] = ()
    resume: bool = False
    overwrite: bool = False
    retries: int = 1

    @property
    def config(self) -> Config:
        """The settings of an asset without its own. Raises InputError."""
        return load_config(None, self.settings)

    @property
    def replace(self) -> bool:
        """Whether results that are there may be replaced."""
        return self.resume or self.overwrite


@dataclass(frozen=True)
class Plan:
    """What there is to do: `total` assets, but for those that are `done`. `common`: the hash of the settings."""

    options: Options
    total: int
    done: frozenset[str]
    common: str

    @property
    def left(self) -> int:
        """How many are to be done."""
        return self.total - len(self.done)


@dataclass
class Totals:
    """How many assets are done and have failed in this run, the names of the first that have, and how many tries were
    given up to be tried again.
    """

    done: int = 0
    failed: int = 0
    retried: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def opened_status(options: Options, dry: bool = False) -> Iterator[Status]:
    """The status of the output, which is made where it is not there; `dry`: a copy of it, and nothing is changed.

    Raises InputError where the output cannot be used, or holds a batch and options do not say what to do with it.
    """
    output = options.output
    if not output.strip():
        raise InputError("--output is an empty text, expected a folder (. is the current one)")
    if storage.same(options.assets, output):
        raise InputError(f"--output {output}: the assets are there, expected another folder")
    new = not Path(output).exists()
    with tempfile.TemporaryDirectory(prefix="meshopt-batch-") as scratch:
        if storage.is_url(output):
            storage.check_bucket(output)
            status: Status = StoredStatus(Path(scratch) / NAME, output, dry)
        else:
            status = _local(Path(output), Path(scratch), options.replace, dry)
        with status, _unless_empty(status, Path(output) if new else None):
            if status.end and not options.replace:
                raise InputError(
                    f"--output {output}: already holds a batch; go on with --resume, do all again with --overwrite, or"
                    " choose another folder"
                )
            yield status


@contextmanager
def _unless_empty(status: Status, made: Path | None) -> Iterator[None]:
    """Around a batch; where nothing came of it, its file goes, and the output if that was made for it."""
    try:
        yield
    finally:
        if not status.end:
            status.file.unlink(missing_ok=True)
            with suppress(OSError):  # it is not here
                if made is not None:
                    made.rmdir()


def _local(output: Path, scratch: Path, replace: bool, dry: bool) -> Status:
    check_folder(output, (NAME,), overwrite=True)
    link = next((path for path in (output / ERRORS, output / NAME) if path.is_symlink()), None)
    if link is not None:
        raise InputError(f"{link}: is a link, which a batch does not write to")
    if not dry:
        output.mkdir(parents=True, exist_ok=True)
        status = Status(output / NAME)
        remove_leftovers(output)
        return status
    if (output / NAME).is_file():
        shutil.copyfile(output / NAME, scratch / NAME)
    return Status(scratch / NAME)


def make_plan(options: Options, status: Status) -> Plan:
    """What there is to do. Every asset is looked at, none is read. Raises InputError for wrong settings, and where the
    manifest or a name in it is wrong, with the first line and how many others.
    """
    common = settings_hash(options.config)
    total, done = 0, set()
    problems: list[InputError] = []
    for asset in read_assets(options.assets, options.output):
        if isinstance(asset, InputError):
            problems.append(asset)
            if len(problems) == MOST_PROBLEMS:
                break
            continue
        total += 1
        if options.resume and not problems and _is_done(asset, common, status.last(asset.name), options.output):
            done.add(asset.name)
    if problems:
        more = len(problems) - 1
        least = "at least " if len(problems) == MOST_PROBLEMS else ""
        others = f" ({least}{more} more such line{'s' if more > 1 else ''})" if more else ""
        raise InputError(f"{problems[0]}{others}")
    return Plan(options, total, frozenset(done), common)


def _is_done(asset: Asset, common: str, last: Record | None, output: str) -> bool:
    """Whether the result is there, and all that it depends on is as it was."""
    if last is None or last["state"] != "done" or last.get("key") != fingerprint(asset, common):
        return False
    if storage.is_url(output):
        return True
    folder = Path(output) / asset.name
    return all((folder / name).is_file() for name in last.get("files", ["report.json"]))


def missing(plan: Plan) -> Iterator[str]:
    """What is wrong with the input of assets that are left, a sentence each, without reading images."""
    from meshopt.io.folders import find_images

    for asset in _left(plan):
        try:
            if any(place is not None and storage.is_url(place) for place in (asset.views, asset.normals)):
                found = [place for place in (asset.views, asset.normals) if place and not storage.stamps(place)]
                if found:
                    raise InputError(f"{found[0]}: holds no images")
            else:
                views, normals = (None if p is None else Path(p).expanduser() for p in (asset.views, asset.normals))
                find_images(views, normals)
        except (InputError, OSError) as error:
            yield f"{asset.name}: {error}"


def _left(plan: Plan) -> Iterator[Asset]:
    for asset in read_assets(plan.options.assets, plan.options.output):
        if not isinstance(asset, InputError) and asset.name not in plan.done:
            yield asset


def run_batch(
    plan: Plan,
    engine: Engine,
    status: Status,
    on_try: Callable[[Record, Totals], None] = lambda record, totals: None,
) -> Totals:
    """Does what is left; every try is in the status before `on_try` hears of it.

    A script that calls this needs `if __name__ == "__main__":`, as processes import it. Raises InputError where the
    status cannot be written.
    """
    options, totals = plan.options, Totals()
    if options.overwrite:
        status.clear()
    status.append({"schema": SCHEMA, "version": __version__, "began": _now(), "assets": plan.total, "left": plan.left})
    function = Maker(Job(options.settings, plan.common, options.output, options.replace))
    rounds: list[tuple[Iterable[Asset], int]] = [(_left(plan), min(engine.processes, max(1, plan.left)))]
    for attempt in range(1, options.retries + 2):
        again: list[tuple[Asset, str]] = []
        for assets, processes in rounds:
            flying: dict[int, Asset] = {}
            with closing(engine.work(function, _noted(assets, flying), processes)) as outcomes:
                for outcome in outcomes:
                    asset = flying.pop(outcome.index)
                    retried = outcome.cause in RETRIED and attempt <= options.retries
                    record = _record(asset.name, outcome, attempt, retried)
                    _keep(record, outcome, options.output, status)
                    _count(record, totals)
                    if retried:
                        again.append((asset, str(outcome.cause)))
                    on_try(record, totals)
        large = [asset for asset, cause in again if cause in ALONE]
        others = [asset for asset, cause in again if cause not in ALONE]
        rounds = [(others, min(engine.processes, max(1, len(others)))), (large, 1)]
    return totals


def _noted(assets: Iterable[Asset], flying: dict[int, Asset]) -> Iterator[Asset]:
    """The assets; those that are dealt are in `flying` by their places."""
    for index, asset in enumerate(assets):
        flying[index] = asset
        yield asset


def _record(name: str, outcome: Outcome, attempt: int, retried: bool) -> Record:
    """A line of the status. docs/batch.md lists the keys."""
    record: Record = {"asset": name, "state": "done", "attempt": attempt, "seconds": round(outcome.seconds, 2)}
    record["finished"] = _now()
    made = outcome.result
    if made is not None:
        return record | {"key": made.key, "files": made.files, "warnings": outcome.warnings, "figures": made.figures}
    record["state"] = "retried" if retried else "failed"
    return record | {"cause": outcome.cause, "error": outcome.error or ""}


def _now() -> str:
    """In UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _keep(record: Record, outcome: Outcome, output: str, status: Status) -> None:
    """Adds the record to the status; a traceback to the errors, where the one of an earlier try goes."""
    name = record["asset"]
    before = status.last(name)
    place = storage.join(output, f"{ERRORS}/{name}.txt")
    if outcome.trace is not None:
        _write(place, outcome.trace.encode())
        record["error"] += f" ({ERRORS}/{name}.txt shows where)"
    elif before is not None and before.get("cause") == "bug":
        if storage.is_url(place):
            storage.remove(place)
        else:
            Path(place).unlink(missing_ok=True)
    status.append(record)


def _write(place: str, data: bytes) -> None:
    if storage.is_url(place):
        storage.write(place, data)
        return
    Path(place).parent.mkdir(exist_ok=True)
    write_file(Path(place), data)


def _count(record: Record, totals: Totals) -> None:
    if record["state"] == "done":
        totals.done += 1
    elif record["state"] == "retried":
        totals.retried += 1
    else:
        totals.failed += 1
        if len(totals.failures) < MOST_NAMED:
            totals.failures.append(record["asset"])
