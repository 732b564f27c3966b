"""One asset: read, reconstructed and written, in whatever process it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from meshopt.batch import storage
from meshopt.batch.assets import Asset
from meshopt.batch.inputs import fingerprint
from meshopt.batch.jobs import Job, Made, Row
from meshopt.checkpoints import CheckpointFile
from meshopt.compilation import share_cache
from meshopt.config import Config, load_config
from meshopt.errors import InputError
from meshopt.io.files import remove_leftovers
from meshopt.pipeline import Reconstruction, own_checkpoint, reconstruct
from meshopt.report.folder import RESULT_FILES, write_result
from meshopt.views import LoadOptions, ViewSet, load_views


def make(job: Job, asset: Asset) -> Made:
    """Reconstructs an asset and writes OUTPUT/NAME/, all or none of it.

    Raises InputError for whatever is wrong with the asset, OSError where a disk or storage fails.
    """
    share_cache()
    config = load_config(None, [*job.settings, *asset.settings])
    key = fingerprint(asset, job.common)
    with _scratch(job, asset) as (folder, scratch):
        views = _read(asset, config, scratch)
        method = _near(config.initial.method, scratch / "initial")
        result = _reconstructed(views, _starting_from(config, method), CheckpointFile(folder))
        files = write_result(replace(result, config=config), folder, job.replace)
        CheckpointFile(folder).remove()
        names = tuple(file.relative_to(folder).as_posix() for file in files)
        if storage.is_url(job.output):
            storage.store(folder, storage.join(job.output, asset.name), RESULT_FILES, "report.json")
    return Made(key, names, figures(result.report))


def figures(report: Mapping[str, Any]) -> Row:
    """A report in one row: means over the views; what was not measured is not there."""
    shape, views = report["topology"], report["views"]
    row: Row = {"rig": Path(report["rig"]).name, "views": len(views), "device": report["device"]}
    row |= {"backend": report["backend"]["name"]}
    if "verdict" in report:
        row |= {"verdict": report["verdict"], "score": report["score"]}
        row |= {"findings": len(report["findings"]), "corrections": len(report["corrections"])}
    for name in ("silhouette_iou", "normal_error_deg", "colour_psnr_db"):
        known = [view[name] for view in views if view.get(name) is not None]
        row |= {name: round(fmean(known), 5)} if known else {}
    row |= {name: shape[name] for name in ("vertices", "faces", "components", "genus")}
    broken = ("boundary_edges", "nonmanifold_edges", "nonmanifold_vertices", "inconsistent_edges")
    row |= {"closed": not any(shape[name] for name in broken), "self_intersecting": shape["self_intersecting_faces"]}
    return row | ({"texture_seen": round(report["texture"]["seen"], 5)} if "texture" in report else {})


@contextmanager
def _scratch(job: Job, asset: Asset) -> Iterator[tuple[Path, Path]]:
    """The folder of the result, here or in the scratch folder, and that. Raises InputError where one is a link."""
    with tempfile.TemporaryDirectory(prefix="meshopt-batch-") as name:
        scratch = Path(name)
        if storage.is_url(job.output):
            yield scratch / "result", scratch
            return
        folder = Path(job.output) / asset.name
        link = next((path for path in (folder, folder / "texture") if path.is_symlink()), None)
        if link is not None:
            raise InputError(f"{link}: is a link, expected a folder or nothing")
        if job.replace and folder.is_dir():
            remove_leftovers(folder)
        yield folder, scratch


def _read(asset: Asset, config: Config, scratch: Path) -> ViewSet:
    """The views; those of a storage are copied to the scratch folder first, of which nothing is said."""
    given = [place for place in (asset.views, asset.normals, config.views.rig) if place is not None]
    near = {place: _near(place, scratch / str(number)) for number, place in enumerate(given)}
    options = LoadOptions(**config.views.model_dump(exclude={"rig"}))
    views, normals = (None if place is None else near[place] for place in (asset.views, asset.normals))
    try:
        loaded = load_views(views, normals, near[config.views.rig], options=options)
    except InputError as error:
        raise InputError(_far(str(error), near)) from None
    notes = tuple(_far(note, near) for note in loaded.notes)
    return replace(loaded, rig=_far(loaded.rig, near), notes=notes)


def _reconstructed(views: ViewSet, config: Config, kept: CheckpointFile) -> Reconstruction:
    """From where an earlier try was stopped, if there was one."""
    try:
        return reconstruct(views, config, keep=kept.save, start=own_checkpoint(kept, views, config))
    except InputError:
        kept.remove()  # it would end there again
        raise


def _near(place: str, folder: Path) -> str:
    """Where a place is on this machine."""
    return str(storage.fetch(place, folder)) if storage.is_url(place) else place


def _far(text: str, near: Mapping[str, str]) -> str:
    """With the places' names instead of those of their copies."""
    for place, copy in near.items():
        text = text.replace(copy, place) if copy != place else text
    return text


def _starting_from(config: Config, mesh: str) -> Config:
    if mesh == config.initial.method:
        return config
    return config.model_copy(update={"initial": config.initial.model_copy(update={"method": mesh})})
