from dataclasses import replace

import pytest
import torch

from meshopt import raster
from meshopt.mesh import Mesh, vertex_normals
from meshopt.optimize.colors import blend_colors, spread
from meshopt.optimize.consensus import consensus_normals
from meshopt.optimize.sampling import Samples, sample_views


@pytest.fixture
def on_surface(sphere):
    """The ellipsoid of the views as a mesh."""
    ball = sphere(1.0, 4)
    return ball.with_vertices(ball.vertices * torch.tensor([0.7, 0.55, 0.4]) + torch.tensor([0.06, -0.1, 0.04]))


@pytest.mark.parametrize("which", ["views", "perspective_views"])
def test_every_view_sees_its_side_and_gives_the_normals_there(request, on_surface, which):
    views = request.getfixturevalue(which)
    v, f = on_surface.vertices, on_surface.faces
    normals = vertex_normals(v, f)
    samples = sample_views(raster.get("cpu"), views, views.normals, v, normals, f, 1.0)
    for k, camera in enumerate(views.cameras):
        back = torch.tensor(camera.rotation[2], dtype=torch.float32)
        seen = samples.weight[k] > 0.3
        assert seen.sum() > 300
        assert float((normals @ back)[seen].min()) > 0.0
        agreement = (torch.nn.functional.normalize(samples.values[k], dim=-1) * normals).sum(-1)[seen]
        assert float(agreement.min()) > 0.99
        assert not samples.weight[k][normals @ back < -0.3].any()


def test_what_lies_behind_something_is_not_seen(sphere, views):
    near, far = sphere(0.3, 3), sphere(0.2, 3)
    vertices = torch.cat([near.vertices + torch.tensor([0, 0, 0.5]), far.vertices - torch.tensor([0, 0, 0.5])])
    faces = torch.cat([near.faces, far.faces + len(near.vertices)])
    samples = sample_views(
        raster.get("cpu"), views, views.normals, vertices, vertex_normals(vertices, faces), faces, 1.0
    )
    behind = samples.weight[0][len(near.vertices) :]
    assert not behind.any()
    assert samples.weight[0][: len(near.vertices)].any()


def test_consensus_outvotes_a_view_that_disagrees():
    truth = torch.tensor([0.0, 0.0, 1.0])
    angle = torch.deg2rad(torch.tensor(60.0))
    liar = torch.stack([torch.sin(angle), torch.zeros(()), torch.cos(angle)])
    values = torch.stack([truth, truth, truth, liar])[:, None].expand(4, 5, 3)
    found = consensus_normals(Samples(values, torch.ones(4, 5)), torch.ones(4), 15.0)
    error = torch.rad2deg(torch.arccos((found.normals * truth).sum(-1).clamp(-1, 1)))
    plain = torch.nn.functional.normalize(values.sum(0), dim=-1)
    plain_error = torch.rad2deg(torch.arccos((plain * truth).sum(-1)))
    assert float(error.max()) < 2.0 < float(plain_error.min())


def test_consensus_is_silent_where_no_view_sees():
    samples = Samples(torch.ones(2, 3, 3), torch.tensor([[1.0, 0, 0.5], [1.0, 0, 0]]))
    found = consensus_normals(samples, torch.ones(2), 15.0)
    assert found.confidence[1] == 0
    assert not found.normals[1].any()
    assert 0 < float(found.confidence[2]) < float(found.confidence[0])


def test_colours_are_the_views_own(on_surface, views):
    colors = blend_colors(raster.get("cpu"), on_surface, views)
    truth = vertex_normals(on_surface.vertices, on_surface.faces) * 0.5 + 0.5
    assert float((colors - truth).abs().mean()) < 0.02  # top and bottom, which no view sees, are spread into
    seen = truth[:, 1].sub(0.5).abs() < 0.3
    assert float((colors - truth).abs()[seen].max()) < 0.05


def test_spreading_is_linear_along_a_strip(sphere):
    mesh = sphere(1.0, 3)
    known = mesh.vertices[:, 1].abs() > 0.6
    filled = spread(mesh.vertices[:, 1:2].sign(), known, mesh.faces)
    assert torch.equal(filled[known], mesh.vertices[known, 1:2].sign())
    middle = mesh.vertices[:, 1].abs() < 0.02
    assert float(filled[middle].abs().max()) < 0.1
    assert float(filled.abs().max()) <= 1.0


def test_a_view_without_trust_gives_no_colour(on_surface, views):
    trust = torch.ones(len(views))
    trust[0] = 0
    red = views.rgb.clone()
    red[0] = torch.tensor([1.0, 0, 0])
    given = replace(views, rgb=red)
    for weights, same in ((trust, True), (None, False)):
        colors = [blend_colors(raster.get("cpu"), on_surface, v, weights) for v in (given, views)]
        assert torch.equal(*colors) == same


def test_without_any_colour_everything_is_grey(on_surface, views):
    colors = blend_colors(raster.get("cpu"), on_surface, replace(views, rgb=None))
    assert torch.equal(colors, torch.full_like(colors, 0.7))


def test_part_that_no_view_sees_is_grey(sphere, views):
    inner, outer = sphere(0.1, 1), sphere(0.5, 3)
    mesh = Mesh(
        torch.cat([outer.vertices, inner.vertices]), torch.cat([outer.faces, inner.faces + len(outer.vertices)])
    )
    colors = blend_colors(raster.get("cpu"), mesh, views)
    assert torch.allclose(colors[len(outer.vertices) :], torch.tensor(0.7), atol=1e-3)
