"""The schedule: which resolution, edge length and step size at which step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from meshopt.cameras import Camera
from meshopt.config import OptimizeConfig
from meshopt.views import ViewSet

MIN_COARSE = 96  # rows; coarser stages than this see no shape
FACE_AREA = 0.48  # mean face area over edge length squared after remeshing (equilateral triangles: 0.433)


@dataclass(frozen=True)
class Stage:
    """One part of the loop. Edge lengths in scene units; step sizes as shares of the edge length."""

    name: str
    resolution: int
    steps: int
    edges: tuple[float, float]
    step_sizes: tuple[float, float]
    spread: float = 1.0  # how many times shorter or longer than that single edges may be
    crease: float = 180.0  # degrees between faces above which an edge is rendered with a normal on each side
    consensus: bool = False
    tolerance: float = 0.0  # it may end early where the loss falls by a smaller share, see `loop.fall`

    def edge_at(self, step: int) -> float:
        """Target edge length, scene units: geometric from the first to the last."""
        return _geometric(self.edges, step, self.steps)

    def step_size_at(self, step: int) -> float:
        """Largest vertex step as a share of the edge length."""
        return _geometric(self.step_sizes, step, self.steps)


def schedule(config: OptimizeConfig, views: ViewSet, area: float, faces: int | None) -> list[Stage]:
    """A coarse, a fine and a refining stage. `area` is the initial surface's; `faces` overrules the settings' number,
    and how short edges may be."""
    finest = min(config.resolution, views.resolution[0])
    coarse = max(min(MIN_COARSE, finest), finest // 2)
    last = math.sqrt(area / (FACE_AREA * (faces or config.faces)))
    if faces is None:
        last = max(last, config.edge_end * pixel_size(views, finest))
    first = max(config.edge_start * pixel_size(views, coarse), last)
    middle = math.sqrt(first * last)
    big, small = config.step_size, config.step_size_end
    half, spread = math.sqrt(big * small), config.edge_spread
    ends = config.crease_angle, config.refine_consensus > 0, config.tolerance
    stages = [
        Stage("coarse", coarse, config.coarse_steps, (first, middle), (big, half)),
        Stage("fine", finest, config.fine_steps, (middle, last), (half, small), spread),
        Stage("refine", finest, config.refine_steps, (last, last), (small, small / 2), spread, *ends),
    ]
    return [stage for stage in stages if stage.steps > 0]


def pixel_size(views: ViewSet, rows: int) -> float:
    """A pixel's height in scene units at the origin, in the view that resolves most, at `rows` rows."""
    return min(2 * half_height(camera) / rows for camera in views.cameras)


def half_height(camera: Camera) -> float:
    """Half the height of the image in scene units, at the origin's distance."""
    if camera.projection == "orthographic":
        return camera.half_extent[1]
    return camera.half_extent[1] * abs(float(camera.world_to_camera[2, 3]))


def _geometric(ends: tuple[float, float], step: int, steps: int) -> float:
    share = step / max(1, steps - 1)
    return ends[0] * (ends[1] / ends[0]) ** share
