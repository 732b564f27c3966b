"""The loop: render, compare, step, remesh, from coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from meshopt.config import OptimizeConfig
from meshopt.mesh import Mesh, at, face_cross, vertex_normals
from meshopt.optimize import surface
from meshopt.optimize.colors import blend_colors
from meshopt.optimize.consensus import Consensus, consensus_normals
from meshopt.optimize.creases import parted
from meshopt.optimize.facets import facet_loss, sums_over_pixels
from meshopt.optimize.fairing import faired
from meshopt.optimize.images import normal_loss, render_colors
from meshopt.optimize.regularizers import inside_out, laplacian_energy
from meshopt.optimize.sampling import sample_views
from meshopt.optimize.sizing import SOLID, bending, edge_lengths
from meshopt.optimize.stages import FACE_AREA, Stage
from meshopt.optimize.targets import Targets, make_targets
from meshopt.optimize.vertex_adam import Moments, vertex_step
from meshopt.raster.protocol import Rasterizer
from meshopt.remesh import Remeshed, RemeshSettings, remesh
from meshopt.remesh.state import Links
from meshopt.views import ViewSet

CONSENSUS_EVERY = 10  # steps between two estimates of the vertices' target normals
TOO_FINE = 1.5  # times as many faces as edges of the stage's length make: remeshed before the first step ...
SETTLE_PASSES = 6  # ... so often at most
FALL_STEPS = 10  # over which convergence is judged
SIZING_EVERY = 5  # steps between two estimates of the target edge lengths
CONSENSUS_POWER = 2.0  # of the cosine to the camera, in their blend

OnStep = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class LoopState:
    """Where a stage is: all that the steps to come depend on.

    `surface` is the mesh with its target edge lengths; its attributes are the optimiser's moments [N, 5] and, in a
    stage with a consensus, the vertices' target normals and their confidence [N, 4]. `curves` are the losses of the
    steps that are done, by name.
    """

    surface: Remeshed
    curves: dict[str, list[float]] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """How many steps are done."""
        return len(self.curves["normal"]) if self.curves else 0

    @property
    def sums(self) -> list[float]:
        """The loss of every step."""
        return [sum(values) for values in zip(*self.curves.values(), strict=True)]

    @property
    def moments(self) -> Moments:
        """The optimiser's memory."""
        assert self.surface.attributes is not None  # attributes in, attributes out
        return Moments(self.surface.attributes[:, :5])

    @property
    def consensus(self) -> Consensus | None:
        """The target normals, as the remesher carried them over."""
        attributes = self.surface.attributes
        if attributes is None or attributes.shape[1] == 5:
            return None
        return Consensus(normalize(attributes[:, 5:8], dim=-1), attributes[:, 8])


@dataclass(frozen=True)
class Optimized:
    """The mesh, the losses of every step by name, and by what share their sum fell in the last steps (see `fall`)."""

    mesh: Mesh
    curves: dict[str, list[float]]
    last_fall: float | None


def optimize_stage(
    mesh: Mesh,
    views: ViewSet,
    config: OptimizeConfig,
    stage: Stage,
    backend: Rasterizer,
    on_step: OnStep,
    *,
    start: LoopState | None = None,
    keep: Callable[[LoopState], None] = lambda state: None,
) -> Optimized:
    """Fits the mesh to the views: `stage.steps` vertex steps, each followed by a remeshing pass.

    `keep` gets the state after every step, before `on_step` hears of it; from one of those, as `start`, the stage goes
    on to the same result, and `mesh` is not looked at.
    """
    weights = views.weights(config.view_weights, "optimize.view_weights")
    targets = make_targets(views, stage.resolution, weights, config.grazing_power)
    problem = _Problem(views, targets, float(targets.image[..., 3].sum()), weights, config, stage, backend)
    state = start or _begun(mesh, stage)
    while state.step < stage.steps and not _converged(state, stage):
        state, losses = _stepped(problem, state)
        keep(state)
        on_step(state.step, stage.steps, losses | {"faces": float(len(state.surface.faces))})
    return Optimized(Mesh(state.surface.vertices, state.surface.faces), state.curves, fall(state.sums))


def _begun(mesh: Mesh, stage: Stage) -> LoopState:
    """Before the first step."""
    mesh = _settled(mesh, stage.edge_at(0))
    lengths = torch.full_like(mesh.vertices[:, 0], stage.edge_at(0))
    return LoopState(Remeshed(mesh.vertices, mesh.faces, lengths, Moments.zeros(mesh.vertices).packed))


def _converged(state: LoopState, stage: Stage) -> bool:
    fallen = fall(state.sums)
    return fallen is not None and fallen < stage.tolerance


def _stepped(problem: _Problem, state: LoopState) -> tuple[LoopState, dict[str, float]]:
    """One step, and the losses before it."""
    stage, step, surface = problem.stage, state.step, state.surface
    vertices, faces = surface.vertices, surface.faces
    edge = stage.edge_at(step)
    lengths = surface.target_length * (edge / stage.edge_at(max(step - 1, 0)))
    consensus = state.consensus
    if stage.consensus and step % CONSENSUS_EVERY == 0:
        consensus = _consensus(problem, vertices, faces)
    gradient, losses, face, seen = _gradient(problem, vertices, faces, edge, consensus, surface.links)
    if step % SIZING_EVERY == 0:
        lengths = edge_lengths(problem.bending, face, vertices, faces, edge, stage.spread)
    direction, moments = vertex_step(gradient, state.moments)
    move = stage.step_size_at(step) * lengths.clamp_max(edge)[:, None] * direction
    vertices = vertices + faired(move, vertices, faces, seen)
    carried = moments.packed if consensus is None else torch.cat([moments.packed, _packed(consensus)], 1)
    settings = RemeshSettings(relax=problem.config.relaxation)
    surface = remesh(vertices, faces, lengths, carried, settings, surface)
    curves = {name: [*state.curves.get(name, ()), value] for name, value in losses.items()}
    return LoopState(surface, curves), losses


def _settled(mesh: Mesh, edge: float) -> Mesh:
    """The mesh, or one with edges of about that length where it is much finer: steps that are a share of it would fold
    that."""
    vertices, faces = mesh.vertices, mesh.faces
    enough = float(face_cross(vertices, faces).norm(dim=-1).sum()) / 2 / (FACE_AREA * edge**2)
    result: Remeshed | None = None
    for _ in range(SETTLE_PASSES):
        if len(faces) < TOO_FINE * enough:
            break
        result = remesh(vertices, faces, torch.full_like(vertices[:, 0], edge), previous=result)
        vertices, faces = result.vertices, result.faces
    return Mesh(vertices, faces)


def fall(losses: Sequence[float]) -> float | None:
    """By what share the loss fell within FALL_STEPS steps, between means of as many: remeshing makes it uneven.

    None before there are enough steps, 0 where it rose.
    """
    before, now = losses[-2 * FALL_STEPS : -FALL_STEPS], losses[-FALL_STEPS:]
    if len(before) < FALL_STEPS:
        return None
    return max(0.0, 1 - sum(now) / max(sum(before), 1e-30))


@dataclass(frozen=True)
class _Problem:
    """What stays the same through a stage."""

    views: ViewSet
    targets: Targets
    covered: float  # pixels inside the masks
    weights: Float[Tensor, "V"]
    config: OptimizeConfig
    stage: Stage
    backend: Rasterizer

    @cached_property
    def bending(self) -> Float[Tensor, "V h w"]:
        """How fast the target normals turn along the surface."""
        return bending(self.targets)

    @cached_property
    def evidence(self) -> Float[Tensor, "V 4 h w"]:
        """Each pixel's normal times its weight, and its weight, where it is all inside the mask."""
        image = self.targets.image.movedim(-1, 1)
        weight = (self.targets.weight * (image[:, 3] >= SOLID))[:, None]
        return torch.cat([image[:, :3] / image[:, 3:].clamp_min(SOLID) * weight, weight], 1).contiguous()

    @cached_property
    def eyes(self) -> Float[Tensor, "V 4"]:
        """Each viewer, see `Camera.eye`."""
        return torch.from_numpy(np.stack([camera.eye for camera in self.views.cameras])).to(self.targets.image)


def _gradient(
    problem: _Problem,
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    edge: float,
    consensus: Consensus | None,
    links: Links | None,
) -> tuple[Float[Tensor, "N 3"], dict[str, float], Int[Tensor, "V h w"], Bool[Tensor, "N"]]:
    """The gradient of all losses to the vertices, the losses' values, the face that each pixel sees, and which vertices
    are seen."""
    config, targets = problem.config, problem.targets
    x = vertices.detach().requires_grad_(True)
    with torch.enable_grad():
        normals = surface.vertex_normals(x, faces)
        of_normals = config.normal_weight * (1.0 if consensus is None else 1.0 - config.refine_consensus)
        factors = (of_normals, config.silhouette_weight, config.robustness)
        images = targets.matrices, targets.image, targets.weight
        loss = normal_loss(problem.backend, *_shaded(problem.stage, x, normals, faces, links), *images, factors)
        terms = {"normal": loss.normal / problem.covered, "silhouette": loss.silhouette / problem.covered}
        if consensus is not None:
            terms["consensus"] = (
                config.normal_weight * config.refine_consensus * _disagreement(x, normals, faces, consensus)
            )
        if config.rgb_weight > 0 and problem.views.rgb is not None:
            terms["rgb"] = config.rgb_weight * _color_loss(problem, x, faces)
        sums = sums_over_pixels(loss.face, problem.evidence, len(faces))
        pixels, total = sums[..., 4], sums[..., :4].sum(0)
        if config.facet_weight > 0:
            flat = facet_loss(x, faces, total[:, :3], total[:, 3])
            terms["facets"] = config.facet_weight * config.normal_weight * flat / problem.covered
        turned = inside_out(pixels, x, faces, problem.eyes)
        terms["inside_out"] = config.inside_out_weight / edge * turned / problem.covered
        seen = _seen(pixels, faces, len(x))
        smoothness = torch.where(seen, 1.0, config.unseen_smoothness).to(x)
        terms["smoothness"] = config.smoothness / 4 * laplacian_energy(x, faces, smoothness)
        torch.stack([term.reshape(()) for term in terms.values()]).sum().backward()
    assert x.grad is not None
    values = torch.stack([term.detach().reshape(()) for term in terms.values()]).tolist()
    return x.grad, dict(zip(terms, values, strict=True)), loss.face, seen


def _shaded(
    stage: Stage, x: Tensor, normals: Tensor, faces: Tensor, links: Links | None
) -> tuple[Float[Tensor, "M 3"], Float[Tensor, "M 3"], Int[Tensor, "F 3"]]:
    """Vertices, their normals and faces as they are rendered: parted along sharp edges."""
    if links is None or stage.crease >= 180:
        return x, normals, faces
    apart = parted(x, faces, links, stage.crease)
    own = at(x, apart.origin)
    return own, surface.vertex_normals(own, apart.faces), apart.faces


def _disagreement(x: Tensor, normals: Tensor, faces: Tensor, consensus: Consensus) -> Float[Tensor, ""]:
    """Mean over the surface of half the squared difference between the vertex normals and their targets."""
    double_area = face_cross(x.detach(), faces).norm(dim=-1)
    area = torch.zeros_like(x[:, 0])
    for corner in range(3):
        area = area.index_add(0, faces[:, corner].long(), double_area)
    weight = area * consensus.confidence
    return 0.5 * (weight * (normals - consensus.normals).square().sum(-1)).sum() / weight.sum().clamp_min(1e-12)


def _color_loss(problem: _Problem, x: Tensor, faces: Tensor) -> Float[Tensor, ""]:
    """Squared difference between the views and the mesh in its own blended colours, over the covered pixels."""
    views = problem.views
    assert views.rgb is not None
    colors = blend_colors(problem.backend, Mesh(x.detach(), faces), views)
    image = render_colors(problem.backend, x, colors, faces, views)
    target = views.rgb * views.masks[..., None]
    return (image - target).square().sum() / views.masks.sum()


def _seen(pixels: Float[Tensor, "V F"], faces: Int[Tensor, "F 3"], count: int) -> Bool[Tensor, "N"]:
    """Which vertices belong to a face that some pixel shows."""
    seen = pixels.new_zeros(count)
    shown = (pixels > 0).any(0).to(seen)
    for corner in range(3):
        seen = seen.index_add(0, faces[:, corner].long(), shown)
    return seen > 0


def _consensus(problem: _Problem, vertices: Tensor, faces: Tensor) -> Consensus:
    views = problem.views
    normals = vertex_normals(vertices, faces)
    samples = sample_views(problem.backend, views, views.normals, vertices, normals, faces, CONSENSUS_POWER)
    return consensus_normals(samples, problem.weights, problem.config.consensus_scale)


def _packed(consensus: Consensus) -> Float[Tensor, "N 4"]:
    return torch.cat([consensus.normals, consensus.confidence[:, None]], dim=1)
