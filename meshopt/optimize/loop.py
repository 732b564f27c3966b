"""The loop: render, compare, step, remesh, from coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from meshopt.config import OptimizeConfig
from meshopt.errors import InputError
from meshopt.mesh import Mesh, face_cross, vertex_normals
from meshopt.optimize.colors import blend_colors
from meshopt.optimize.consensus import Consensus, consensus_normals
from meshopt.optimize.images import normal_loss, render_colors
from meshopt.optimize.regularizers import count_pixels, inside_out, laplacian_energy
from meshopt.optimize.sampling import sample_views
from meshopt.optimize.stages import Stage
from meshopt.optimize.targets import Targets, make_targets
from meshopt.optimize.vertex_adam import Moments, vertex_step
from meshopt.raster.protocol import Rasterizer
from meshopt.remesh import RemeshSettings, remesh
from meshopt.views import ViewSet

CONSENSUS_EVERY = 10  # steps between two estimates of the vertices' target normals
CONSENSUS_POWER = 2.0  # of the cosine to the camera, in their blend

OnStep = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class Optimized:
    """The mesh, and the losses of every step by name."""

    mesh: Mesh
    curves: dict[str, list[float]] = field(default_factory=dict)


def optimize_stage(
    mesh: Mesh, views: ViewSet, config: OptimizeConfig, stage: Stage, backend: Rasterizer, on_step: OnStep
) -> Optimized:
    """Fits the mesh to the views: `stage.steps` vertex steps, each followed by a remeshing pass."""
    weights = view_weights(views, config)
    targets = make_targets(views, stage.resolution, weights, config.grazing_power)
    problem = _Problem(views, targets, float(targets.image[..., 3].sum()), weights, config, stage, backend)
    vertices, faces, moments = mesh.vertices, mesh.faces, Moments.zeros(mesh.vertices)
    curves: dict[str, list[float]] = {}
    consensus: Consensus | None = None
    settings = RemeshSettings(relax=config.relaxation)
    for step in range(stage.steps):
        edge = stage.edge_at(step)
        if stage.consensus and step % CONSENSUS_EVERY == 0:
            consensus = _consensus(problem, vertices, faces)
        gradient, losses = _gradient(problem, vertices, faces, edge, consensus)
        direction, moments = vertex_step(gradient, moments)
        vertices = vertices + stage.step_size_at(step) * edge * direction
        carried = moments.packed if consensus is None else torch.cat([moments.packed, _packed(consensus)], 1)
        lengths = torch.full_like(vertices[:, 0], edge)
        result = remesh(vertices, faces, lengths, carried, settings)
        vertices, faces = result.vertices, result.faces
        assert result.attributes is not None  # attributes in, attributes out
        moments, consensus = _unpacked(result.attributes, consensus is not None)
        for name, value in losses.items():
            curves.setdefault(name, []).append(value)
        on_step(step + 1, stage.steps, losses | {"faces": float(len(faces))})
    return Optimized(Mesh(vertices, faces), curves)


def view_weights(views: ViewSet, config: OptimizeConfig) -> Float[Tensor, "V"]:
    """Each view's weight: 1, or what the settings say for its name. Raises InputError for names that no view has."""
    names = [camera.name for camera in views.cameras]
    unknown = sorted(set(config.view_weights) - set(names))
    if unknown or not any(config.view_weights.get(name, 1.0) for name in names):
        found = f"names {', '.join(unknown)}" if unknown else "leaves no view"
        raise InputError(f"optimize.view_weights {found}: expected some of {', '.join(names)}, not all 0.")
    return views.masks.new_tensor([config.view_weights.get(camera.name, 1.0) for camera in views.cameras])


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
    def backs(self) -> Float[Tensor, "V 3"]:
        """Each camera's axis towards the viewer, in the world."""
        rotations = np.stack([camera.rotation[2] for camera in self.views.cameras])
        return torch.from_numpy(rotations).to(self.targets.image)


def _gradient(
    problem: _Problem,
    vertices: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    edge: float,
    consensus: Consensus | None,
) -> tuple[Float[Tensor, "N 3"], dict[str, float]]:
    """The gradient of all losses to the vertices, and the losses' values."""
    config, targets = problem.config, problem.targets
    x = vertices.detach().requires_grad_(True)
    with torch.enable_grad():
        normals = vertex_normals(x, faces)
        of_normals = config.normal_weight * (1.0 if consensus is None else 1.0 - config.refine_consensus)
        factors = (of_normals, config.silhouette_weight, config.robustness)
        images = targets.matrices, targets.image, targets.weight
        loss = normal_loss(problem.backend, x, normals, faces, *images, factors)
        terms = {"normal": loss.normal / problem.covered, "silhouette": loss.silhouette / problem.covered}
        if consensus is not None:
            terms["consensus"] = (
                config.normal_weight * config.refine_consensus * _disagreement(x, normals, faces, consensus)
            )
        if config.rgb_weight > 0 and problem.views.rgb is not None:
            terms["rgb"] = config.rgb_weight * _color_loss(problem, x, faces)
        pixels = count_pixels(loss.face, len(faces))
        turned = inside_out(pixels, x, faces, problem.backs)
        terms["inside_out"] = config.inside_out_weight / edge * turned / problem.covered
        smoothness = torch.where(_seen(pixels, faces, len(x)), 1.0, config.unseen_smoothness).to(x)
        terms["smoothness"] = config.smoothness / 4 * laplacian_energy(x, faces, smoothness)
        torch.stack([term.reshape(()) for term in terms.values()]).sum().backward()
    assert x.grad is not None
    values = torch.stack([term.detach().reshape(()) for term in terms.values()]).tolist()
    return x.grad, dict(zip(terms, values, strict=True))


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


def _seen(pixels: Int[Tensor, "V F"], faces: Int[Tensor, "F 3"], count: int) -> Bool[Tensor, "N"]:
    """Which vertices belong to a face that some pixel shows."""
    seen = torch.zeros(count, device=faces.device)
    shown = (pixels.sum(0) > 0).to(seen)
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


def _unpacked(attributes: Float[Tensor, "N K"], with_consensus: bool) -> tuple[Moments, Consensus | None]:
    """Optimiser state and target normals, as the remesher carried them over."""
    moments = Moments(attributes[:, :5])
    if not with_consensus:
        return moments, None
    return moments, Consensus(normalize(attributes[:, 5:8], dim=-1), attributes[:, 8])
