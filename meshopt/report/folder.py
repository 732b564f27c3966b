"""A result on the disk: the mesh, the settings that made it, the reports and the preview, in one folder."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meshopt.config import OutputConfig, dump_config
from meshopt.errors import InputError
from meshopt.io.files import check_folder, staged_folder
from meshopt.io.mesh_arrays import MeshArrays, mesh_arrays
from meshopt.io.meshes import FORMATS, encode_arrays, file_names
from meshopt.io.png import encode_png
from meshopt.report.page import result_page
from meshopt.report.palette import source_palette
from meshopt.report.plot import draw_curves
from meshopt.report.preview import Scores, draw_preview
from meshopt.report.record import encode_record, load_report, rounded_curves
from meshopt.report.results import Result
from meshopt.texturing import Textured
from meshopt.views import ViewSet

TEXTURE_FILES = tuple(f"texture/{name}.png" for name in ("color", "normal", "source", "confidence"))
RESULT_FILES = (
    *dict.fromkeys(name for kind in FORMATS for name in file_names(kind)),
    *TEXTURE_FILES,
    *("report.html", "report.json", "preview.png", "curves.png", "config.yaml"),
)


def check_mesh_stays(mesh: str | Path, folder: str | Path, output: OutputConfig) -> None:
    """Raises InputError where writing a result into the folder would remove the mesh that it is made from.

    One that is written again, as a file of its own name with all of its faces, may be replaced.
    """
    mesh = Path(mesh).expanduser()
    again = output.faces is None and mesh.suffix.lower().removeprefix(".") in output.formats
    if mesh.name in RESULT_FILES and not again and mesh.parent.resolve() == Path(folder).resolve():
        raise InputError(f"{mesh}: is in --output {folder}, where the result would replace it; expected another folder")


def check_result_folder(folder: str | Path, overwrite: bool = False) -> None:
    """Raises InputError where `write_result` would refuse or fail at once; changes nothing."""
    if not str(folder).strip():
        raise InputError("--output is an empty text, expected a folder (. is the current one)")
    folder = Path(folder)
    if folder.suffix.lower().removeprefix(".") in FORMATS and not folder.is_dir():
        raise InputError(f"--output {folder}: names a file, expected a folder for mesh.glb")
    check_folder(folder, RESULT_FILES, overwrite)


def finished_report(folder: str | Path, fingerprint: str) -> dict[str, Any] | None:
    """The report of the result in the folder, where it is complete and of the run with that fingerprint."""
    folder = Path(folder)
    try:
        report = load_report(folder)
        whole = report["fingerprint"] == fingerprint and all((folder / name).is_file() for name in report["files"])
    except (OSError, ValueError, LookupError, TypeError):  # an InputError is a ValueError
        return None
    return report if whole else None


def write_result(result: Result, folder: str | Path, overwrite: bool = False, plot: bool = False) -> tuple[Path, ...]:
    """Writes the meshes, the texture's images, report.json, preview.png, config.yaml and, as `output.html` says,
    report.html, with `plot` curves.png, all or none; their paths.

    The mesh is in the user's units. Raises InputError where the folder holds a result and `overwrite` is
    False, or where `plot` lacks matplotlib, OSError where the disk fails: the folder is then as it was.
    """
    folder = Path(folder)
    check_result_folder(folder, overwrite)
    pictures = ["preview.png", *(["curves.png"] if plot else [])]
    arrays = mesh_arrays(result.mesh, result.views.scale, result.views.offset)
    data = {**encode_meshes(arrays, result.config.output.formats), **encode_texture(arrays, result.textured)}
    page = ["report.html"] if result.config.output.html else []
    files = [*data, *page, "report.json", *pictures, "config.yaml"]
    record = {**result.report, "curves": rounded_curves(result.curves), "files": files}
    with staged_folder(folder, RESULT_FILES, overwrite) as staging:
        for name, content in data.items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(content)
        if page:
            (staging / "report.html").write_bytes(result_page(result, record))
        (staging / "report.json").write_bytes(encode_record(record))
        (staging / "preview.png").write_bytes(encode_preview(result))
        if plot:
            stages, title = result.report.get("stages", ()), _title(result)
            (staging / "curves.png").write_bytes(draw_curves(result.curves, stages, title))
        (staging / "config.yaml").write_text(dump_config(result.config), encoding="utf-8")
    return tuple(folder / name for name in files)


def encode_meshes(arrays: MeshArrays, formats: Sequence[str]) -> dict[str, bytes]:
    """A mesh in all the formats: bytes by file name."""
    files: dict[str, bytes] = {}
    for kind in dict.fromkeys(formats):
        files |= encode_arrays(arrays, kind)
    return files


def encode_texture(arrays: MeshArrays, textured: Textured | None) -> dict[str, bytes]:
    """The texture's images, and those of where it comes from, by file name."""
    if arrays.texture is None or textured is None:
        return {}
    files = {f"texture/{name}.png": blob for name, blob in arrays.texture.pngs.items()}
    files["texture/confidence.png"] = encode_png(textured.confidence.cpu().numpy())
    return files | {"texture/source.png": encode_png(textured.source.cpu().numpy(), source_palette())}


def encode_preview(result: Result) -> bytes:
    """preview.png's bytes."""
    report = result.report
    scores = _scores(report.get("views", ()), result.views)
    sheet = draw_preview(
        result.views, result.renders, scores, _title(result), subtitle=str(report.get("topology_line", ""))
    )
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def _title(result: Result) -> str:
    rig = f"{result.views.rig}, " if result.views.rig else ""
    return f"meshopt {result.report.get('version', '')}: {rig}{len(result.views)} views"


def _scores(rows: Sequence[Mapping[str, Any]], views: ViewSet) -> list[Scores]:
    if len(rows) != len(views):
        rows = [{"name": camera.name} for camera in views.cameras]
    return [Scores(row["name"], row.get("silhouette_iou"), row.get("normal_error_deg")) for row in rows]
