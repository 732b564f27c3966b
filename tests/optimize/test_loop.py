from dataclasses import replace

import numpy as np
import pytest
import torch

from meshopt import raster
from meshopt.config import OptimizeConfig
from meshopt.optimize import optimize_stage, schedule
from meshopt.optimize.loop import FALL_STEPS, fall
from meshopt.optimize.stages import Stage
from meshopt.topology import topology

CONFIG = OptimizeConfig()
STAGE = Stage("test", 96, 40, (0.12, 0.06), (0.3, 0.03))


def run(mesh, views, stage=STAGE, config=CONFIG):
    with torch.no_grad():
        return optimize_stage(mesh, views, config, stage, raster.get("cpu"), lambda *_: None)


@pytest.mark.parametrize("which", ["views", "perspective_views"])
@pytest.mark.parametrize("consensus", [False, True])
def test_sphere_becomes_the_ellipsoid(request, sphere, distances, which, consensus):
    views = request.getfixturevalue(which)
    start = sphere(0.5)
    done = run(start, views, replace(STAGE, consensus=consensus))
    error = distances(done.mesh.vertices)
    assert distances(start.vertices).mean() > 0.05
    assert error.mean() < 0.008
    assert np.percentile(error, 95) < 0.02
    shape = topology(done.mesh.vertices, done.mesh.faces)
    assert (shape.closed, shape.manifold, shape.oriented, shape.euler) == (True, True, True, 2)
    assert shape.self_intersecting_faces == shape.flipped_faces == 0


def test_losses_fall_and_are_recorded(sphere, views):
    done = run(sphere(0.5), views)
    assert all(len(curve) == STAGE.steps for curve in done.curves.values())
    assert done.curves["normal"][-1] < 0.1 * done.curves["normal"][0]
    assert done.curves["silhouette"][-1] < 0.1 * done.curves["silhouette"][0]


def test_same_bytes_twice_and_for_any_number_of_threads(sphere, views):
    from meshopt import parallel

    stage = replace(STAGE, steps=6, consensus=True)
    first, second = run(sphere(0.5), views, stage), run(sphere(0.5), views, stage)
    with parallel.limit(1):
        third = run(sphere(0.5), views, stage)
    for other in (second, third):
        assert torch.equal(first.mesh.vertices, other.mesh.vertices)
        assert torch.equal(first.mesh.faces, other.mesh.faces)


def test_view_of_weight_zero_is_ignored(sphere, views, distances):
    broken = replace(views, normals=views.normals.clone())
    broken.normals[1] = broken.normals[1].flip(-1)
    config = OptimizeConfig(view_weights={"90": 0.0})
    kept, left_out = run(sphere(0.5), broken), run(sphere(0.5), broken, config=config)
    assert distances(left_out.mesh.vertices).mean() < 0.5 * distances(kept.mesh.vertices).mean()


def test_colours_pull_the_surface_too(sphere, views):
    """With no other loss than that of the colours, the silhouette of the coloured views is found."""
    config = OptimizeConfig(rgb_weight=5.0, normal_weight=0.0, silhouette_weight=0.0)
    start = sphere(0.5)
    done = run(start, views, replace(STAGE, steps=25), config)
    assert done.curves["rgb"][-1] < 0.5 * done.curves["rgb"][0]


def test_step_function_sees_every_step_and_may_stop_the_run(sphere, views):
    seen = []

    def stop(step, total, info):
        seen.append((step, total))
        if step == 3:
            raise KeyboardInterrupt

    with torch.no_grad(), pytest.raises(KeyboardInterrupt):
        optimize_stage(sphere(0.5), views, CONFIG, STAGE, raster.get("cpu"), stop)
    assert seen == [(1, 40), (2, 40), (3, 40)]


def test_schedule_goes_from_coarse_to_fine(views):
    stages = schedule(CONFIG, views, 3.0, None)
    assert [s.name for s in stages] == ["coarse", "fine", "refine"]
    assert [s.resolution for s in stages] == [96, 96, 96]  # views of 96 rows have no coarser stage
    edges = [e for s in stages for e in s.edges]
    assert edges == sorted(edges, reverse=True)
    assert [s.crease for s in stages] == [180.0, 180.0, CONFIG.crease_angle]
    assert stages[0].edge_at(0) == stages[0].edges[0]
    assert stages[0].edge_at(stages[0].steps - 1) == pytest.approx(stages[0].edges[1])


def test_number_of_faces_sets_the_last_edge_length(views):
    few, many = (schedule(CONFIG, views, 3.0, n)[-1].edges[1] for n in (1000, 4000))
    assert few == pytest.approx(2 * many)
    assert schedule(OptimizeConfig(faces=1000), views, 3.0, None)[-1].edges[1] == few


def test_edges_get_no_shorter_than_pixels_allow_unless_a_budget_says_so(views):
    config = OptimizeConfig(faces=1_000_000)
    assert schedule(config, views, 3.0, None)[-1].edges[1] == pytest.approx(config.edge_end * 2 / 96)
    assert schedule(config, views, 3.0, 1_000_000)[-1].edges[1] < 0.1 * config.edge_end * 2 / 96


def test_stages_without_steps_are_left_out(views):
    config = OptimizeConfig(coarse_steps=0, refine_steps=0)
    assert [s.name for s in schedule(config, views, 3.0, None)] == ["fine"]


def test_fall_compares_the_last_steps_with_those_before():
    assert fall([1.0] * (2 * FALL_STEPS - 1)) is None
    assert fall([9.0] + [1.0] * FALL_STEPS + [0.9] * FALL_STEPS) == pytest.approx(0.1)
    assert fall([1.0] * FALL_STEPS + [2.0] * FALL_STEPS) == 0.0
