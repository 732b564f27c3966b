"""All that is measured of one mesh: accuracy, fit to the views, topology; and what an external scorer says of it."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from true_paint import Paint
from view_scores import view_scores

import meshopt
from meshopt.evaluate.geometry import SAMPLES, Geometry, SurfaceScores, compare
from meshopt.evaluate.surfaces import Surface
from meshopt.topology import topology

MESHES = (".glb", ".gltf", ".obj", ".ply")
RATIOS = {"p2s": "p2s_ratio", "normal_angle_deg": "normal_ratio"}


@dataclass(frozen=True)
class Case:
    """One object in one rig: FOLDER/views/OBJECT/RIG and FOLDER/meshes/OBJECT.*"""

    source: Path

    @property
    def name(self) -> str:
        return self.source.parent.name

    @property
    def rig(self) -> str:
        return self.source.name

    @property
    def truth_file(self) -> Path:
        return one_of(self.source.parents[2] / "meshes", self.name)

    @cached_property
    def truth(self) -> meshopt.Mesh:
        return meshopt.load_mesh(self.truth_file)

    @cached_property
    def paint(self) -> Paint | None:
        """The true colours, where the truth has any."""
        truth = meshopt.load_mesh(self.truth_file, textures=True)
        return None if truth.texture is None and truth.colors is None else Paint.of(truth)

    @cached_property
    def surface(self) -> Surface:
        return Surface.of(self.truth)

    @cached_property
    def views(self) -> meshopt.ViewSet:
        rgb = self.source / "rgb"
        return meshopt.load_views(rgb if rgb.is_dir() else None, self.source / "normals")

    @cached_property
    def kind(self) -> dict[str, Any]:
        """Genus and components of the truth, where it is a closed, manifold surface."""
        found = shape(self.truth)
        sound = found["closed"] and found["manifold"]
        return {f"true_{key}": found[key] if sound else None for key in ("genus", "components")}

    def mesh_in(self, folder: Path) -> Path | None:
        """Another system's mesh of this: OBJECT_RIG.* or OBJECT.*, if there is one."""
        found = [one_of(folder, name, missing_ok=True) for name in (f"{self.name}_{self.rig}", self.name)]
        return next((file for file in found if file), None)


def one_of(folder: Path, name: str, missing_ok: bool = False) -> Any:
    """The mesh file of that name."""
    found = next((folder / f"{name}{kind}" for kind in MESHES if (folder / f"{name}{kind}").is_file()), None)
    if found is None and not missing_ok:
        raise FileNotFoundError(f"{folder}: no mesh {name}, expected {name} with one of {', '.join(MESHES)}")
    return found


def score(file: Path, case: Case, scorer: str | None = None, samples: int = SAMPLES) -> dict[str, Any]:
    """All figures of a mesh file. What an external scorer says overrules our own figures of the same name."""
    mesh = meshopt.load_mesh(file)
    row = shape(mesh) | case.kind | accuracy(mesh, case.surface, samples) | view_scores(mesh, case.views)
    if scorer:
        row |= external(file, case, scorer)
    return row


def accuracy(mesh: meshopt.Mesh, truth: Surface, samples: int = SAMPLES) -> dict[str, float | None]:
    """How well a mesh fits the truth: means of both directions.

    `chamfer_pct` in per cent of the truth's diagonal; `p2s`, `f_01` and `f_005` for the truth scaled to the unit
    sphere; `fscore_0.5pct` at half a per cent of the diagonal; `normal_angle_deg` between the normals of the faces.
    `..._visible`: between the parts of both that are seen from outside, as of game assets' hidden inner surfaces.
    """
    ratio = 100 * truth.radius / truth.diagonal  # per cent of the diagonal that the unit sphere's radius has
    found = compare(Surface.of(mesh), truth, samples, (0.01 * ratio, 0.005 * ratio, 0.5))
    shares = {"seen_share": found.visible_share.accuracy, "seen_share_truth": found.visible_share.completeness}
    return {**_figures(found, found.everything, ""), **_figures(found, found.visible, "_visible"), **shares}


def _figures(found: Geometry, scores: SurfaceScores | None, tail: str) -> dict[str, float | None]:
    names = ("chamfer_pct", "p2s", "f_01", "f_005", "fscore_0.5pct", "normal_angle_deg")
    if scores is None:
        return {name + tail: None for name in names}
    mean = scores.point_to_surface.mean
    shares = [score.fscore for score in scores.fscores]
    values = (100 * mean / found.diagonal, mean / found.radius, *shares, scores.normal_angle.mean)
    return {name + tail: value for name, value in zip(names, values, strict=True)}


def shape(mesh: meshopt.Mesh) -> dict[str, Any]:
    """What kind of surface a mesh is."""
    found = topology(mesh.vertices, mesh.faces)
    return {
        "faces": found.faces,
        "closed": found.closed,
        "manifold": found.manifold,
        "self_intersecting": found.self_intersecting_faces,
        "flipped": found.flipped_faces,
        "genus": found.genus,
        "components": found.components,
        "topology": asdict(found),
    }


def external(file: Path, case: Case, scorer: str) -> dict[str, Any]:
    """What the independent scorer says, under our names."""
    found = scorer_says(file, case, scorer)
    health, geometry, images = found["health"], found["geometry"], found["images"]
    names = ("chamfer_pct", "fscore_0.5pct", "normal_angle_deg")
    return {
        **{key + tail: geometry[key + tail] for key in names for tail in ("", "_visible")},
        **{f"p2s{tail}": geometry[f"chamfer_abs{tail}"] / case.surface.radius for tail in ("", "_visible")},
        "view_normal_deg": images["mean_normal_deg"],
        "min_iou": min(view["silhouette_iou"] for view in images["views"]),
        "closed": health["boundary_edges"] == 0,
        "manifold": health["edge_manifold"] and health["vertex_manifold"],
        "self_intersecting": health["self_intersecting_faces"]["count"],
    }


def scorer_says(file: Path, case: Case, scorer: str, *more: str) -> dict[str, Any]:
    """What `SCORER MESH --gt TRUTH --views SOURCE --json FILE MORE` writes."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "score.json"
        command = [*shlex.split(scorer), file, "--gt", case.truth_file, "--views", case.source, "--json", output, *more]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the scorer failed: {last_line(done.stderr)}")
        found: dict[str, Any] = json.loads(output.read_text())
        return found


def ratios(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """Our error by theirs: below 1 is better."""
    return {name: ours[key] / theirs[key] for key, name in RATIOS.items() if ours.get(key) and theirs.get(key)}


def last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")
