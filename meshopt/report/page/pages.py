"""Which page has which sections: of a result, of a check, of a mesh alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

import meshopt
from meshopt.consistency import Checked, ViewVerdict
from meshopt.report.disagreement import input_disagreement
from meshopt.report.findings_sheet import chosen
from meshopt.report.page.angles import vertex_degrees
from meshopt.report.page.atlas import atlas_section, texture_image
from meshopt.report.page.document import Section, encode_page
from meshopt.report.page.findings import findings_section
from meshopt.report.page.layers import check_layers, result_layers
from meshopt.report.page.markup import element, joined
from meshopt.report.page.provenance import foot, settings_section, sources_section, versions_section
from meshopt.report.page.scene import Surface, surface_of
from meshopt.report.page.stages import stages_section
from meshopt.report.page.summary import check_head, result_head, rig_name
from meshopt.report.page.surface import surface_section
from meshopt.report.page.views import Pictures, views_section
from meshopt.report.results import Result
from meshopt.views import ViewSet

Plain = Mapping[str, Any]


def result_page(result: Result, record: Plain) -> bytes:
    """Of a run that gave a mesh; `record` is what report.json holds, without which sections are left out."""
    sections = [
        _findings(record, done=True),
        _result_views(result, record),
        _result_surface(result, record),
        stages_section(record.get("stages", ()), result.curves),
        None if result.textured is None else _texture(result, record),
        settings_section(result.config),
        sources_section(record, record.get("sources", ())),
        versions_section(record, record.get("files", ())),
    ]
    made = "Reconstruction" if any(s["name"] == "initial" for s in record.get("stages", ())) else "Texture"
    return encode_page(
        _title(record), result_head(record, f"{made} from"), [section for section in sections if section], foot(record)
    )


def check_page(views: ViewSet, checked: Checked, record: Plain, files: Sequence[str] = ()) -> bytes:
    """Of views alone; `record` is what check.json holds."""
    shown = chosen(checked.report.views)
    layers = check_layers(views, input_disagreement(views, checked), shown)
    sections = [
        _findings(record, done=False),
        views_section(record["views"], Pictures(shown, layers, checked.flagged), in_space=False),
        sources_section(record, [asdict(source) for source in views.sources]),
        versions_section(record, files),
    ]
    return encode_page(_title(record), check_head(record), [section for section in sections if section], foot(record))


def mesh_page(name: str, count: str, surface: Surface, image: UInt8[np.ndarray, "H W 3"] | None = None) -> bytes:
    """Of a mesh alone: its `name`, a line on how large it is, and the texture's image where it has one."""
    head = joined([element("p", count, class_="over"), element("h1", name)])
    section = surface_section(surface, file=name)
    if image is not None:
        picture = element("div", texture_image(image), hidden=True)
        section = replace(section, body=joined([section.body, picture]))
    return encode_page(f"{name} · meshopt", head, [section], foot({"version": meshopt.__version__}))


def _title(record: Plain) -> str:
    """What the browser's tab says."""
    rig, verdict = rig_name(record), record.get("verdict", "")
    return " · ".join(part for part in (rig, verdict, "meshopt") if part)


def _findings(record: Plain, done: bool) -> Section | None:
    if "verdict" not in record:
        return None
    late = sum(len(stage.get("turned") or {}) for stage in record.get("stages", ()))
    return findings_section(record.get("findings", ()), record.get("corrections", ()), late if done else None)


def _result_views(result: Result, record: Plain) -> Section:
    rows = _rows(result, record)
    shown = chosen([ViewVerdict(row["name"], row.get("verdict", "ok"), row.get("score", 0.0)) for row in rows])
    layers = result_layers(result.views, result.renders, _degrees(result), shown)
    flagged = None if result.checked is None else result.checked.flagged
    return views_section(rows, Pictures(shown, layers, flagged), in_space=len(result.mesh.faces) > 0)


def _degrees(result: Result) -> Float[np.ndarray, "V h w"] | None:
    """How far the views that were used are from each other."""
    if result.checked is None:
        return None
    return result.checked.degrees if result.config.check.correct else input_disagreement(result.views, result.checked)


def _rows(result: Result, record: Plain) -> Sequence[Plain]:
    """The views' entries of the record, or their names alone."""
    rows = record.get("views", ())
    return rows if len(rows) == len(result.views) else [{"name": camera.name} for camera in result.views.cameras]


def _result_surface(result: Result, record: Plain) -> Section | None:
    if not len(result.mesh.faces):
        return None
    degrees = vertex_degrees(result.mesh, result.views, result.renders) if result.views.has_normals else None
    meshes = [name for name in record.get("files", ()) if name.startswith("mesh.")]
    file = f"{meshes[0]} beside this page" if meshes else "the mesh file"
    return surface_section(surface_of(result.mesh, degrees), result.views.cameras, file)


def _texture(result: Result, record: Plain) -> Section:
    assert result.textured is not None
    return atlas_section(result.textured, record["texture"], [camera.name for camera in result.views.cameras])
