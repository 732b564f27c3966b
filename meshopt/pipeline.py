"""The stages in order: the only place that knows the whole flow from views to a mesh."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

import meshopt
from meshopt.checkpoints import Checkpoint, CheckpointFile, Record, UnderWay, fingerprint
from meshopt.config import Config
from meshopt.consistency import Checked, check, check_mesh, remaining_turns
from meshopt.consistency.corrections import Turned, corrected
from meshopt.consistency.outcome import Outcome
from meshopt.devices import choose
from meshopt.errors import InputError
from meshopt.initial import initial_mesh
from meshopt.io.meshes import load_mesh
from meshopt.mesh import Mesh, face_cross
from meshopt.optimize import LoopState, Stage, blend_colors, optimize_stage, schedule
from meshopt.optimize.colors import GREY
from meshopt.optimize.loop import FALL_STEPS
from meshopt.remesh import to_faces
from meshopt.rendering import Renders, fit, render_views
from meshopt.shading import creased
from meshopt.surroundings import shielded
from meshopt.texturing import Textured, check_texturing, make_texture
from meshopt.topology import keep_components, topology
from meshopt.untangle import untangle
from meshopt.views import ViewSet

INITIAL_METHODS = ("auto", "carved", "hull", "normals", "sphere")
DETAILED = 1.5  # times as many faces as are left when they are reduced: textures are baked from what was there
SPECK = 1e-5  # of the largest part's area: parts that have shrunk to less than about a pixel of 512


@dataclass(frozen=True)
class Progress:
    """Where a run is: `step` of `total` steps of a stage are done. `info` holds the losses by name."""

    stage: str
    step: int
    total: int
    info: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reconstruction:
    """A finished run. `mesh` is in the scene frame; `world_mesh` in the user's units.

    `report` is plain data (docs/report.md); `curves` are the losses of every step, by stage and name; `textured` is
    where the texture comes from, where one was made; `checked` what the checks said of the views as they came.
    """

    mesh: Mesh
    views: ViewSet
    config: Config
    report: dict[str, Any]
    renders: Renders
    curves: dict[str, dict[str, list[float]]]
    textured: Textured | None = None
    checked: Checked | None = None

    @property
    def world_mesh(self) -> Mesh:
        """The mesh in the units and place of the cameras that the views were loaded with."""
        return self.views.in_world(self.mesh)


def reconstruct(
    views: ViewSet,
    config: Config | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    keep: Callable[[Checkpoint], None] | None = None,
    start: Checkpoint | None = None,
) -> Reconstruction:
    """A closed, 2-manifold, coloured mesh that fits the views' silhouettes and normals.

    Writes nothing and prints nothing. The same views and config give the same bytes on the CPU. An exception raised by
    `on_progress` stops the run and is passed on. `keep` gets a checkpoint after every stage and every
    `output.checkpoint_steps` steps of the optimiser; from one of those, as `start`, a run goes on to the same bytes.
    Raises InputError where the views or settings cannot be used, or are not those of the checkpoint.
    """
    config = config or Config()
    run = _Run(views, config, on_progress or (lambda progress: None), keep)
    with shielded():
        return run.reconstruct(start)


def run_fingerprint(views: ViewSet, config: Config | None = None) -> str:
    """That of the checkpoints and the result of `reconstruct` with these views and settings: of no other one."""
    run = _Run(views, config or Config(), lambda progress: None)
    return run.identity(run.given())


def own_checkpoint(file: CheckpointFile, views: ViewSet, config: Config) -> Checkpoint | None:
    """The checkpoint in the file, if it is of a run of these views and settings; others are passed over."""
    try:
        found = file.load()
    except InputError:
        return None
    return found if found is not None and found.fingerprint == run_fingerprint(views, config) else None


def texture(
    mesh: Mesh, views: ViewSet, config: Config | None = None, on_progress: Callable[[Progress], None] | None = None
) -> Reconstruction:
    """Any mesh with colours from the views: its shape stays, but for `output.faces`.

    `mesh` is in the units and place of the views' cameras. Otherwise as `reconstruct`.
    """
    config = config or Config()
    run = _Run(views, config, on_progress or (lambda progress: None))
    with shielded():
        return run.texture(mesh)


class _Run:
    """The state of one reconstruction: the stopwatch and what the report has so far."""

    def __init__(
        self,
        views: ViewSet,
        config: Config,
        on_progress: Callable[[Progress], None],
        keep: Callable[[Checkpoint], None] | None = None,
    ) -> None:
        device, self.backend = choose(config.device, config.backend, views.masks.device)
        self.config, self.on_progress, self.keep = config, on_progress, keep
        self.views = views.to(device, torch.float32)  # generators give half precision
        self.notes: list[str] = []  # beside those of the views
        self.stages: list[dict[str, Any]] = []
        self.curves: dict[str, dict[str, list[float]]] = {}
        self.details: dict[str, dict[str, Any]] = {}  # of stages, for the report
        self.checks = Outcome()
        self.detail: Mesh | None = None  # what the result was before its faces were reduced
        self.textured: Textured | None = None
        self.fingerprint = ""
        self.area = 0.0  # of the initial surface
        self.turned: list[Turned] = []  # by stages
        self.start: Checkpoint | None = None  # what the run goes on from
        self.spent = 0.0  # seconds on the stage under way, before it was interrupted
        self.began = 0.0

    def reconstruct(self, start: Checkpoint | None) -> Reconstruction:
        self.views.require_normals("a reconstruction")
        self.check_texture()
        given = self.given()
        self.fingerprint = self.identity(given)  # of the views as they came
        if start is not None and start.fingerprint != self.fingerprint:
            raise InputError("the checkpoint is that of other views, settings or versions: no run can go on from it")
        if self.config.check.enabled:
            self.check()
        if start is not None:
            self.go_on(start.to(self.views.masks.device))
        mesh = self.timed("initial", partial(self.initial, given))
        budget = None if self.config.texture.normals else self.config.output.faces
        for number, stage in enumerate(schedule(self.config.optimize, self.views, self.area, budget)):
            mesh = self.timed(stage.name, partial(self.optimize, stage, mesh, turning=number > 0 and self.corrects))
        mesh = self.timed("untangle", partial(self.untangled, self.with_budget(mesh)))
        if self.checks.checked is not None:
            self.checks.findings += check_mesh(self.views, mesh, self.config.check)
        return self.finished(mesh, any_fit=True)

    def texture(self, mesh: Mesh) -> Reconstruction:
        if self.views.rgb is None:
            raise InputError("the views have no colours, which a texture needs: give the folder of them with --views")
        self.check_texture()
        if self.config.texture.normals:
            self.views.require_normals("a normal map")
        if self.config.check.enabled and self.views.has_normals:
            self.check()
        bare = replace(mesh.to(self.views.masks.device), texture=None)
        return self.finished(self.with_budget(self.views.in_scene(replace(bare, vertices=bare.vertices.float()))))

    def check_texture(self) -> None:
        """Raises InputError, before all the work, where a texture is asked for that these views or settings forbid."""
        settings = self.config.texture
        if settings.normals and settings.kind != "atlas":
            raise InputError(
                f"a normal map (--bake-normals) lies on an atlas, but --texture is {settings.kind}: expected atlas"
            )
        self.views.weights(settings.view_weights, "texture.view_weights")
        if self.makes_texture:
            check_texturing(self.colored_views, settings)
        elif settings.bake != "blend":
            self.notes.append(f"--bake {settings.bake} is for an atlas: nothing came of it.")

    def finished(self, mesh: Mesh, any_fit: bool = False) -> Reconstruction:
        """The result with colours, unless the views forbid them; with `any_fit` however badly they show it."""
        if self.config.check.strict and self.checks.verdict == "inconsistent":
            self.notes.append("the views are inconsistent: stopped before the colours, as check.strict (--strict) says")
        elif self.config.texture.kind != "none":
            mesh = self.timed("color", partial(self.colored, mesh))
            if self.makes_texture:
                mesh = self.timed("texture", partial(self.with_texture, mesh, any_fit))
        renders = render_views(self.backend, mesh, self.views)
        report = self.report(mesh, renders)
        return Reconstruction(
            mesh, self.views, self.config, report, renders, self.curves, self.textured, self.checks.checked
        )

    @property
    def makes_texture(self) -> bool:
        settings = self.config.texture
        return settings.kind == "atlas" and (self.views.rgb is not None or settings.normals)

    @property
    def colored_views(self) -> ViewSet:
        """The views, grey where a normal map alone is to be had."""
        if self.views.rgb is not None:
            return self.views
        return replace(self.views, rgb=torch.full_like(self.views.normals, GREY))

    def identity(self, given: Mesh | None) -> str:
        """The run's fingerprint, before the views are mended."""
        return fingerprint(self.views, self.config, given, f"{self.views.masks.device} {self.backend.name}")

    def go_on(self, start: Checkpoint) -> None:
        """Takes up what the run had found out."""
        self.start, record = start, start.record
        self.stages, self.notes = list(record.stages), list(record.notes)
        self.curves, self.details, self.area = dict(record.curves), dict(record.details), record.area
        self.turned, self.detail = start.turned, start.detail
        self.views = corrected(self.views, self.turned)
        self.checks.corrections += self.turned

    def checkpoint(self, mesh: Mesh, state: LoopState | None = None, stage: str = "") -> Checkpoint:
        """Where the run is: at the end of a stage, which gave the mesh, or in a stage of the optimiser after it."""
        spent = self.spent + time.perf_counter() - self.began
        record = Record(
            stages=self.stages,
            notes=self.notes,
            curves=self.curves,
            details=self.details,
            turned=[(turn.view, turn.matrix.tolist()) for turn in self.turned],
            area=self.area,
            under_way=None if state is None else UnderWay(stage=stage, seconds=spent, curves=state.curves),
        )
        return Checkpoint(self.fingerprint, record, mesh, self.detail, None if state is None else state.surface)

    def check(self) -> None:
        """Looks whether the views fit each other, and mends what is mended with confidence."""
        self.on_progress(Progress("check", 0, 1))
        began = time.perf_counter()
        checked = check(self.views, self.config.check)
        self.checks.checked = checked
        self.checks.findings += checked.report.findings
        if self.corrects and checked.corrections:
            self.views = checked.views.to(self.views.masks.device)
            self.checks.corrections += checked.corrections
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
        self.checks.corrections += found
        self.turned += found
        return {self.views.cameras[turned.view].name: round(turned.degrees, 2) for turned in found}

    def timed(self, name: str, work: Callable[[], Mesh]) -> Mesh:
        """Does the work of one stage and notes its time and result; nothing, where that had been done before."""
        if self.start is not None and any(row["name"] == name for row in self.start.record.stages):
            return self.start.mesh
        self.on_progress(Progress(name, 0, 1))
        self.began = time.perf_counter()
        mesh = work()
        seconds = round(self.spent + time.perf_counter() - self.began, 3)
        self.spent = 0.0
        self.stages.append({"name": name, "seconds": seconds, "faces": len(mesh.faces), **self.details.get(name, {})})
        if self.keep is not None and mesh.texture is None:  # behind the texture there is nothing left to do
            self.keep(self.checkpoint(mesh))
        self.on_progress(Progress(name, 1, 1, {"faces": float(len(mesh.faces))}))
        return mesh

    def initial(self, given: Mesh | None) -> Mesh:
        found = initial_mesh(self.views, self.config.initial, given)
        self.notes += [f"initial mesh: {found.kind}", *found.notes]
        self.area = float(face_cross(found.mesh.vertices, found.mesh.faces).norm(dim=-1).sum() / 2)
        return found.mesh.to(self.views.masks.device)

    def given(self) -> Mesh | None:
        """The mesh to start from, in the scene frame, where the settings name one."""
        method = self.config.initial.method
        if method in INITIAL_METHODS:
            return None
        try:
            mesh = load_mesh(Path(method), limits=self.config.meshes.limits)
        except InputError as error:
            raise InputError(f"--init {error}; or one of {', '.join(INITIAL_METHODS)}") from None
        return self.views.in_scene(mesh)

    def optimize(self, stage: Stage, mesh: Mesh, turning: bool) -> Mesh:
        """One stage of the optimiser; `turning`: once what is left of turned normals is turned back."""
        state = self.interrupted(stage)
        if state is None:
            self.details[stage.name] = {"turned": self.turn_back(mesh)} if turning else {}

        def on_step(step: int, total: int, info: dict[str, float]) -> None:
            self.on_progress(Progress(stage.name, step, total, info))

        def keep(state: LoopState) -> None:
            every = self.config.output.checkpoint_steps
            if self.keep is not None and every and state.step % every == 0:
                self.keep(self.checkpoint(mesh, state, stage.name))

        done = optimize_stage(
            mesh, self.views, self.config.optimize, stage, self.backend, on_step, start=state, keep=keep
        )
        self.curves[stage.name] = done.curves
        self.details[stage.name] |= {"steps": len(done.curves["normal"]), "last_fall": done.last_fall}
        if stage.tolerance and done.last_fall is not None and done.last_fall >= stage.tolerance:
            self.notes.append(
                f"not converged: in the last {FALL_STEPS} steps the loss still fell by {100 * done.last_fall:.1f} %;"
                f" --quality best or more optimize.{stage.name}_steps goes on"
            )
        return done.mesh

    def interrupted(self, stage: Stage) -> LoopState | None:
        """Where the stage was, if it is the one that was under way."""
        under_way = None if self.start is None else self.start.record.under_way
        if self.start is None or under_way is None or under_way.stage != stage.name:
            return None
        self.spent = under_way.seconds
        return self.start.loop

    def with_budget(self, mesh: Mesh) -> Mesh:
        """With as many faces as the settings say; a mesh with many more is kept for its details."""
        faces = self.config.output.faces
        if faces is None:
            return mesh
        if len(mesh.faces) > DETAILED * faces:
            self.detail = mesh
        try:
            return self.timed("faces", partial(_with_faces, mesh, faces))
        except InputError as error:
            raise InputError(f"--faces {faces}: {error}") from None

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
        trust = self.views.weights(self.config.texture.view_weights, "texture.view_weights")
        return replace(mesh, colors=blend_colors(self.backend, mesh, self.views, trust))

    def with_texture(self, mesh: Mesh, any_fit: bool) -> Mesh:
        settings = self.config.texture.model_copy(update={"least_fit": 0.0}) if any_fit else self.config.texture
        scores = self.checks.left([camera.name for camera in self.views.cameras])
        try:
            self.textured = make_texture(mesh, self.colored_views, settings, detail=self.detail, scores=scores)
        except InputError as error:
            if not any_fit:
                raise
            self.notes.append(f"no texture, but colours of the vertices: {error}")
            return mesh
        self.notes += self.textured.notes
        return self.textured.mesh

    def report(self, mesh: Mesh, renders: Renders) -> dict[str, Any]:
        """Plain data for report.json; docs/report.md lists the keys."""
        shape = topology(mesh.vertices, mesh.faces)
        return {
            "version": meshopt.__version__,
            "backend": {"name": self.backend.name, "licence": self.backend.licence},
            "device": str(self.views.masks.device),
            "rig": self.views.rig,
            **({"fingerprint": self.fingerprint} if self.fingerprint else {}),
            "notes": [*self.views.notes, *self.notes],
            "sources": [asdict(source) for source in self.views.sources],
            "stages": self.stages,
            **self.checks.as_plain([camera.name for camera in self.views.cameras]),
            "views": [row | self.checks.of_view(row["name"]) for row in fit(renders, self.views)],
            **({} if self.textured is None else {"texture": self.textured.figures}),
            "topology": asdict(shape),
            "topology_line": shape.line(),
        }


def _with_faces(mesh: Mesh, faces: int) -> Mesh:
    """The mesh with so many faces; where it had normals of its own, with creases where edges are sharp."""
    vertices, index = to_faces(mesh.vertices, mesh.faces, faces)[:2]
    return Mesh(vertices, index, shading=None if mesh.shading is None else creased(vertices, index))
