"""The stages in order: the only place that knows the whole flow from views to a mesh."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

import meshopt
from meshopt import parallel
from meshopt.config import Config
from meshopt.consistency import Checked, Finding, check, check_mesh, remaining_turns
from meshopt.consistency.corrections import Correction, corrected
from meshopt.consistency.findings import Verdict, worst
from meshopt.devices import choose
from meshopt.errors import InputError
from meshopt.initial import initial_mesh
from meshopt.io.meshes import load_mesh
from meshopt.mesh import Mesh, face_cross, vertex_normals
from meshopt.optimize import Stage, blend_colors, optimize_stage, schedule
from meshopt.optimize.images import render_colors, render_normals
from meshopt.optimize.loop import FALL_STEPS
from meshopt.raster.protocol import Rasterizer
from meshopt.remesh import to_faces
from meshopt.topology import keep_components, topology
from meshopt.untangle import untangle
from meshopt.views import ViewSet

INITIAL_METHODS = ("auto", "carved", "hull", "normals", "sphere")
SPECK = 1e-5  # of the largest part's area: parts that have shrunk to less than about a pixel of 512


@dataclass(frozen=True)
class Progress:
    """Where a run is: `step` of `total` steps of a stage are done. `info` holds the losses by name."""

    stage: str
    step: int
    total: int
    info: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Renders:
    """The result seen by the views' cameras: unit world normals (0 outside), coverage, sRGB where there are colours."""

    normals: Float[Tensor, "V H W 3"]
    masks: Float[Tensor, "V H W"]
    rgb: Float[Tensor, "V H W 3"] | None


@dataclass(frozen=True)
class Reconstruction:
    """A finished run. `mesh` is in the scene frame; `world_mesh` in the user's units.

    `report` is plain data (docs/report.md); `curves` are the losses of every step, by stage and name.
    """

    mesh: Mesh
    views: ViewSet
    config: Config
    report: dict[str, Any]
    renders: Renders
    curves: dict[str, dict[str, list[float]]]

    @property
    def world_mesh(self) -> Mesh:
        """The mesh in the units and place of the cameras that the views were loaded with."""
        offset = torch.tensor(self.views.offset).to(self.mesh.vertices)
        return self.mesh.with_vertices(self.mesh.vertices * self.views.scale + offset)


def reconstruct(
    views: ViewSet, config: Config | None = None, on_progress: Callable[[Progress], None] | None = None
) -> Reconstruction:
    """A closed, 2-manifold, coloured mesh that fits the views' silhouettes and normals.

    Writes nothing and prints nothing. The same views and config give the same bytes on the CPU. An exception raised by
    `on_progress` stops the run and is passed on. Raises InputError where the views or settings cannot be used.
    """
    config = config or Config()
    run = _Run(views, config, on_progress or (lambda progress: None))
    with torch.inference_mode(False), torch.no_grad(), parallel.single_torch():
        return run.reconstruct()


class _Run:
    """The state of one reconstruction: the stopwatch and what the report has so far."""

    def __init__(self, views: ViewSet, config: Config, on_progress: Callable[[Progress], None]) -> None:
        device, self.backend = choose(config.device, config.backend, views.masks.device)
        self.config, self.on_progress = config, on_progress
        self.views = views.to(device, torch.float32)  # generators give half precision
        self.notes = list(views.notes)
        self.stages: list[dict[str, Any]] = []
        self.curves: dict[str, dict[str, list[float]]] = {}
        self.details: dict[str, dict[str, Any]] = {}  # of stages, for the report
        self.checked: Checked | None = None
        self.findings: list[Finding] = []
        self.corrections: list[Correction] = []

    def reconstruct(self) -> Reconstruction:
        given = self.given()
        if self.config.check.enabled:
            self.check()
        mesh = self.timed("initial", partial(self.initial, given))
        area = float(face_cross(mesh.vertices, mesh.faces).norm(dim=-1).sum() / 2)
        budget = self.config.output.faces
        for number, stage in enumerate(schedule(self.config.optimize, self.views, area, budget)):
            mesh = self.timed(stage.name, partial(self.optimize, stage, mesh, turning=number > 0 and self.corrects))
        if budget is not None:
            mesh = self.timed("faces", partial(self.to_budget, mesh, budget))
        mesh = self.timed("untangle", partial(self.untangled, mesh))
        if self.checked is not None:
            self.findings += check_mesh(self.views, mesh, self.config.check)
        if self.config.check.strict and self.verdict == "inconsistent":
            self.notes.append("the views are inconsistent: stopped before the colours, as check.strict (--strict) says")
        else:
            mesh = self.timed("color", partial(self.colored, mesh))
        renders = render_views(self.backend, mesh, self.views)
        return Reconstruction(mesh, self.views, self.config, self.report(mesh, renders), renders, self.curves)

    def check(self) -> None:
        """Looks whether the views fit each other, and mends what is mended with confidence."""
        self.on_progress(Progress("check", 0, 1))
        began = time.perf_counter()
        self.checked = check(self.views, self.config.check)
        self.findings += self.checked.report.findings
        if self.corrects and self.checked.corrections:
            self.views = self.checked.views.to(self.views.masks.device)
            self.corrections += self.checked.corrections
        self.stages.append({"name": "check", "seconds": round(time.perf_counter() - began, 3), "faces": 0})
        self.on_progress(Progress("check", 1, 1))

    @property
    def corrects(self) -> bool:
        """Whether views are to be mended."""
        return self.config.check.enabled and self.config.check.correct

    def turn_back(self, mesh: Mesh) -> dict[str, float]:
        """Turns normals by the little that the mesh shows and the rough surface did not: degrees, by view."""
        found = remaining_turns(self.views, mesh)
        self.views = corrected(self.views, found)
        self.corrections += found
        return {self.views.cameras[turned.view].name: round(turned.degrees, 2) for turned in found}

    @property
    def verdict(self) -> Verdict:
        """Of all findings so far, mended or not."""
        return worst([finding.severity for finding in self.findings])

    def consistency(self) -> dict[str, Any]:
        """What the checks say, for the report."""
        if self.checked is None:
            return {}
        names = [camera.name for camera in self.views.cameras]
        return {
            "verdict": self.verdict,
            "score": self.checked.report.score,
            "findings": [asdict(finding) for finding in self.findings],
            "corrections": [correction.as_plain(names) for correction in self.corrections],
        }

    def view_rows(self, renders: Renders) -> list[dict[str, Any]]:
        """Each view's fit, and what the checks say of it."""
        rows = fit(renders, self.views)
        if self.checked is None:
            return rows
        verdicts = {
            name: worst([f.severity for f in self.findings if name in f.views]) for name in (r["name"] for r in rows)
        }
        scores = {view.name: view.score for view in self.checked.report.views}
        return [row | {"verdict": verdicts[row["name"]], "score": scores[row["name"]]} for row in rows]

    def timed(self, name: str, work: Callable[[], Mesh]) -> Mesh:
        """Does the work of one stage and notes its time and result."""
        self.on_progress(Progress(name, 0, 1))
        began = time.perf_counter()
        mesh = work()
        row = {"name": name, "seconds": round(time.perf_counter() - began, 3), "faces": len(mesh.faces)}
        self.stages.append(row | self.details.get(name, {}))
        self.on_progress(Progress(name, 1, 1, {"faces": float(len(mesh.faces))}))
        return mesh

    def initial(self, given: Mesh | None) -> Mesh:
        found = initial_mesh(self.views, self.config.initial, given)
        self.notes += [f"initial mesh: {found.kind}", *found.notes]
        return found.mesh.to(self.views.masks.device)

    def given(self) -> Mesh | None:
        """The mesh to start from, in the scene frame, where the settings name one."""
        method = self.config.initial.method
        if method in INITIAL_METHODS:
            return None
        try:
            mesh = load_mesh(Path(method))
        except InputError as error:
            raise InputError(f"--init {error}; or one of {', '.join(INITIAL_METHODS)}") from None
        return mesh.with_vertices((mesh.vertices - torch.tensor(self.views.offset)) / self.views.scale)

    def optimize(self, stage: Stage, mesh: Mesh, turning: bool) -> Mesh:
        """One stage of the optimiser; `turning`: once what is left of turned normals is turned back."""
        details: dict[str, Any] = {"turned": self.turn_back(mesh)} if turning else {}

        def on_step(step: int, total: int, info: dict[str, float]) -> None:
            self.on_progress(Progress(stage.name, step, total, info))

        done = optimize_stage(mesh, self.views, self.config.optimize, stage, self.backend, on_step)
        self.curves[stage.name] = done.curves
        self.details[stage.name] = details | {"steps": len(done.curves["normal"]), "last_fall": done.last_fall}
        if stage.tolerance and done.last_fall is not None and done.last_fall >= stage.tolerance:
            self.notes.append(
                f"not converged: in the last {FALL_STEPS} steps the loss still fell by {100 * done.last_fall:.1f} %;"
                f" --quality best or more optimize.{stage.name}_steps goes on"
            )
        return done.mesh

    def to_budget(self, mesh: Mesh, faces: int) -> Mesh:
        result = to_faces(mesh.vertices, mesh.faces, faces)
        return Mesh(result[0], result[1])

    def untangled(self, mesh: Mesh) -> Mesh:
        result = untangle(*keep_components(mesh.vertices, mesh.faces, SPECK)[:2])
        self.details["untangle"] = {
            "crossing": [result.crossing_before, result.crossing_after],
            "folded": [result.folded_before, result.folded_after],
            "cuts": result.cuts,
        }
        if result.crossing_after or result.folded_after:
            left = f"{result.crossing_after} cross others, {result.folded_after} are folded over"
            self.notes.append(f"of {len(result.faces)} faces some could not be untangled: {left}")
        return Mesh(result.vertices, result.faces)

    def colored(self, mesh: Mesh) -> Mesh:
        return replace(mesh, colors=blend_colors(self.backend, mesh, self.views))

    def report(self, mesh: Mesh, renders: Renders) -> dict[str, Any]:
        """Plain data for report.json; docs/report.md lists the keys."""
        shape = topology(mesh.vertices, mesh.faces)
        return {
            "version": meshopt.__version__,
            "backend": {"name": self.backend.name, "licence": self.backend.licence},
            "device": str(self.views.masks.device),
            "rig": self.views.rig,
            "notes": self.notes,
            "sources": [asdict(source) for source in self.views.sources],
            "stages": self.stages,
            **self.consistency(),
            "views": self.view_rows(renders),
            "topology": asdict(shape),
            "topology_line": shape.line(),
        }


def render_views(backend: Rasterizer, mesh: Mesh, views: ViewSet) -> Renders:
    """The mesh in the views' cameras, at their resolution."""
    matrices = torch.stack([torch.from_numpy(c.clip_matrix()) for c in views.cameras]).to(mesh.vertices)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    image, _ = render_normals(backend, mesh.vertices, normals, mesh.faces, matrices, views.resolution)
    rgb = None
    if mesh.colors is not None and views.rgb is not None:
        premultiplied = render_colors(backend, mesh.vertices, mesh.colors, mesh.faces, views)
        rgb = (premultiplied / image[..., 3:].clamp_min(1e-3)).clamp(0.0, 1.0)
    return Renders(normalize(image[..., :3], dim=-1), image[..., 3], rgb)


def fit(renders: Renders, views: ViewSet) -> list[dict[str, Any]]:
    """Per view: silhouette IoU at half coverage, and the mean angle of the normals where both cover (degrees)."""
    rows = []
    images = [t.cpu() for t in (renders.masks, views.masks, renders.normals, views.normals)]
    for camera, mask, given_mask, normals, given_normals in zip(views.cameras, *images, strict=True):
        found, given = mask > 0.5, given_mask > 0.5
        union, both = (found | given).sum(), (found & given)
        cosine = (normals * given_normals).sum(-1)[both & (given_normals.abs().sum(-1) > 0)]
        angles = torch.rad2deg(torch.arccos(cosine.clamp(-1.0, 1.0)))
        rows.append(
            {
                "name": camera.name,
                "silhouette_iou": float(both.sum() / union) if union else None,
                "normal_error_deg": float(angles.double().mean()) if len(angles) else None,
            }
        )
    return rows
