"""The carved mesh: every view's depth estimated inside the hull, with what the views tell each other, and fused.

See docs/initial.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshopt import parallel
from meshopt.config import InitialConfig
from meshopt.initial.depth import DepthMap, DepthSearch, depth_search
from meshopt.initial.grid import Field, carve
from meshopt.initial.observation import Observation
from meshopt.initial.sheets import kept_apart
from meshopt.initial.sight import exchange

JUMP = 4.0  # pixels: depths around that differ by more are not interpolated


@dataclass(frozen=True, eq=False)
class Carved:
    """The fused field and the depth maps it came from."""

    field: Field
    depths: tuple[DepthMap, ...]


def carved(hull: Field, views: Sequence[Observation], settings: InitialConfig) -> Carved:
    """The hull less all that stands before the views' depth maps."""

    def begun(number: int) -> DepthSearch | None:
        others = [view for i, view in enumerate(views) if i != number]
        search = depth_search(views[number], others, hull, settings)
        if search is not None:
            search.propagate(settings.sweeps)
        return search

    found = parallel.run(begun, [(i,) for i in range(len(views))])
    searches = [search for search in found if search is not None]
    for _ in range(settings.rounds):
        field, _ = _fused(hull, searches)
        exchange(searches, field, settings.sight_cost)
        parallel.run(DepthSearch.propagate, [(search, settings.sweeps) for search in searches])
    field, depths = _fused(hull, searches)
    return Carved(field, tuple(depths))


def _fused(hull: Field, searches: Sequence[DepthSearch]) -> tuple[Field, list[DepthMap]]:
    field = hull.with_values(hull.values.copy())
    depths = kept_apart(parallel.run(DepthSearch.depth_map, [(search,) for search in searches]))
    for found in depths:
        camera = found.view.camera
        jump = JUMP * camera.pitch
        if camera.perspective:
            jump /= max(-float(camera.camera.world_to_camera[2, 3]), 1e-6)
        carve(field, camera, found.depth, found.cosine, jump)
    return field, depths
