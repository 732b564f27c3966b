"""What a ViewSet says of itself; how it is loaded is tested in tests/loading/."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from meshopt.errors import InputError
from meshopt.mesh import Mesh, Shading
from meshopt.rigs import load_rig
from meshopt.views import ViewSet

SEEN = torch.zeros(4, 8, 8)
SEEN[:, 2:6, 2:6] = 1
VIEWS = ViewSet(load_rig("unique3d").cameras(), torch.zeros(4, 8, 8, 3), SEEN)


def test_normals_that_are_not_known() -> None:
    assert not VIEWS.has_normals
    with pytest.raises(InputError, match=r"the views have no normals, which check needs: give .* with --normals") as e:
        VIEWS.require_normals("check")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_normals_that_are_known_in_part(dtype: torch.dtype) -> None:
    normals = VIEWS.normals.clone()
    normals[2, 3, 3, 2] = 1
    known = replace(VIEWS, normals=normals).to("cpu", dtype)
    assert known.has_normals
    known.require_normals("check")


def test_views_without_object_have_no_normals_to_know() -> None:
    replace(VIEWS, masks=SEEN * 0).require_normals("check")


def test_scene_is_the_users_units_undone() -> None:
    views = replace(VIEWS, scale=4.0, offset=(1.0, 2.0, 3.0))
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    mesh = Mesh(torch.tensor([[1.0, 2, 3], [5, 2, 3], [1, 6, 3]]), faces, shading=Shading(torch.eye(3), faces))
    found = views.in_scene(mesh)
    assert torch.equal(found.vertices, torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]))
    assert found.shading is mesh.shading
    assert torch.equal(views.in_world(found).vertices, mesh.vertices)
