"""Normal maps, decoded in meshopt's tangent frames, give the fine surface's normals."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch

from meshopt import parallel
from meshopt.mesh import Mesh, distinct_corners
from meshopt.shading import creased, shading
from meshopt.tangents import tangents
from meshopt.texturing.atlas import Atlas
from meshopt.texturing.baking import linear_images, unit
from meshopt.texturing.detail import onto
from meshopt.texturing.hinges import hinges
from meshopt.texturing.lattice import Lattice, make_lattice
from meshopt.texturing.normal_maps import FLAT, bake_normals
from meshopt.texturing.observation import Observer
from meshopt.texturing.texels import Texels
from meshopt.views import ViewSet

SIZE = 160


def _map(
    mesh: Mesh, atlas: Atlas, views: ViewSet, detail: Mesh | None = None, normals: np.ndarray | None = None
) -> np.ndarray:
    """The map; `normals` [V,H,W,3] of the views, by default nothing known."""
    assert views.rgb is not None
    observer = Observer(detail or mesh, views, linear_images(views.rgb))
    step = 3 * float(observer.pixels.min())
    lattice = make_lattice(mesh, atlas, step)
    lattice = onto(lattice, detail, step) if detail else lattice
    uv, uv_faces = torch.from_numpy(lattice.uv), torch.from_numpy(lattice.uv_faces)
    texels = Texels(uv, uv_faces, SIZE, hinges(lattice.points, lattice.faces))
    shown = observer.showing(np.zeros((*views.masks.shape, 3)) if normals is None else normals)
    return bake_normals(mesh, atlas, lattice, shown, np.ones(len(views)), texels)


def _decoded(scenes: ModuleType, mesh: Mesh, atlas: Atlas, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the texels in faces: world normals as a renderer makes them of the map, and the points on the mesh."""
    shaded = shading(mesh)
    (place, normal), corners = distinct_corners(atlas.faces.numpy(), shaded.faces.numpy())
    uv, faces, up = atlas.uv[torch.from_numpy(place)], torch.from_numpy(corners), shaded.normals.double()
    along = tangents(mesh.vertices, up, mesh.faces, uv, faces, shaded.faces)
    points = mesh.vertices[atlas.vertices[torch.from_numpy(place)].long()].double()
    _, found = Texels(uv, faces, SIZE).at(
        torch.cat([up[torch.from_numpy(normal)], along, points], dim=1).float(), 0, SIZE
    )
    inside = scenes.depth_in_faces(atlas, SIZE) > 0
    found = found[inside].astype(np.float64)
    up, tangent, sign, points = unit(found[:, :3]), unit(found[:, 3:6]), np.sign(found[:, 6:7]), found[:, 7:]
    x, y, z = (2 * image[inside].astype(np.float64) / 255 - 1).T[..., None]
    return unit(x * tangent + y * np.cross(up, tangent) * sign + z * up), points


def _degrees(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((one * two).sum(1), -1, 1)))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("kind", ["smooth", "apart", "creased"])
@pytest.mark.parametrize("coarse", [1, 2])
def test_fine_sphere_on_a_coarse_one(scenes: ModuleType, coarse: int, kind: str, mirrored: bool) -> None:
    """With normals of its vertices, and with those of its faces, of which the map then has to say all."""
    mesh, fine = scenes.sphere(coarse), scenes.sphere(5)
    mesh = scenes.apart(mesh) if kind == "apart" else mesh
    if kind == "creased":  # the atlas' rows are shared by faces whose normals differ
        mesh = replace(mesh, shading=creased(mesh.vertices, mesh.faces, degrees=1.0))
    atlas = (scenes.face_atlas if kind == "apart" else scenes.side_atlas)(mesh, mirrored=mirrored)
    image = _map(mesh, atlas, scenes.views(fine, scenes.ring(2), resolution=(64, 64)), fine)
    found, points = _decoded(scenes, mesh, atlas, image)
    off = _degrees(found, unit(points))
    assert off.mean() < 1
    assert np.quantile(off, 0.999) < 2
    assert (np.abs(image.astype(int) - FLAT).max() > 20) == (kind != "smooth")


def test_octahedron_with_dents(scenes: ModuleType) -> None:
    """A fine surface that is no sphere, 55 degrees between a vertex's normal and a face's."""
    corners = 0.8 * torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    sides = [(x, y, z) for x in (0, 1) for y in (2, 3) for z in (4, 5)]
    faces = [s if sum(s) % 2 == 0 else s[::-1] for s in sides]
    mesh = Mesh(corners, torch.tensor(faces, dtype=torch.int32))
    atlas = scenes.face_atlas(mesh)
    fine = _dented(make_lattice(mesh, atlas, 0.02))
    image = _map(mesh, atlas, scenes.views(fine, scenes.ring(2), resolution=(64, 64)), fine)
    found, points = _decoded(scenes, mesh, atlas, image)
    inner = np.abs(points).min(1) > 0.06  # away from the octahedron's edges
    flat = unit(np.sign(points))
    size = np.abs(points + 0.02 / np.sqrt(3) * flat * np.sin(10 * np.abs(points)).sum(1, keepdims=True))
    truth = unit(np.sign(points) * (1 - 0.2 * np.cos(10 * size)))[inner]
    assert _degrees(truth, flat[inner]).max() > 7
    assert np.quantile(_degrees(found[inner], truth), 0.95) < 1.5


def _dented(lattice: Lattice) -> Mesh:
    """|x| + |y| + |z| - 0.02 (sin 10 |x| + sin 10 |y| + sin 10 |z|) is the same on all of it."""
    points = lattice.points.copy()
    for _ in range(50):
        size = np.abs(points)
        points *= ((0.8 + 0.02 * np.sin(10 * size).sum(1)) / size.sum(1))[:, None]
    return Mesh(torch.from_numpy(points).float(), torch.from_numpy(lattice.faces).int())


@pytest.mark.parametrize("mirrored", [False, True])
def test_flat_where_nothing_deviates(scenes: ModuleType, mirrored: bool) -> None:
    for mesh, make in ((scenes.sphere(2), scenes.side_atlas), (scenes.apart(scenes.box()), scenes.face_atlas)):
        atlas = make(mesh, mirrored=mirrored)
        image = _map(mesh, atlas, scenes.views(mesh, scenes.ring(2), resolution=(64, 64)))
        off = np.abs(image.astype(int) - FLAT).max(-1)
        depth = scenes.depth_in_faces(atlas, SIZE)
        assert off[depth > 0].max() <= 1
        on = {tuple(c) for c in image[depth > -3].tolist()}  # beyond it goes on, so that mipmaps find nothing else
        assert {tuple(c) for c in image[depth <= -3].tolist()} <= on
        assert off.max() < 12  # beside charts normals go on as they change inside


def _about_y(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _turned(views: ViewSet, degrees: float) -> np.ndarray:
    return views.normals.numpy() @ _about_y(degrees).T


def test_normals_of_views_are_taken(scenes: ModuleType) -> None:
    """Turned by 12 degrees: where views are sure, the map says so, and the mesh's own normals elsewhere."""
    mesh = scenes.sphere(3)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(4), resolution=(96, 96))
    image = _map(mesh, atlas, views, normals=_turned(views, 12))
    found, points = _decoded(scenes, mesh, atlas, image)
    outward = unit(points)
    equator, pole = np.abs(outward[:, 1]) < 0.3, np.abs(outward[:, 1]) > 0.998
    turned = outward @ _about_y(12).T
    assert _degrees(found, turned)[equator].mean() < 1.5
    assert _degrees(found, outward)[equator].mean() == pytest.approx(12, abs=1.5)
    assert _degrees(found, outward)[pole].max() < 2
    assert pole.any()


@pytest.mark.parametrize("degrees", [60, 120, 180])
def test_normals_that_cannot_be_are_not_believed(scenes: ModuleType, degrees: float) -> None:
    mesh = scenes.sphere(2)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(4), resolution=(64, 64))
    given = _turned(views, degrees)
    image = _map(mesh, atlas, views, normals=given)
    found, points = _decoded(scenes, mesh, atlas, image)
    equator = np.abs(points[:, 1]) < 0.4  # about the axis the poles' normals turn by less
    own, _ = _decoded(scenes, mesh, atlas, _map(mesh, atlas, views))
    assert np.quantile(_degrees(found, own)[equator], 0.99) < 1


def test_one_view_that_lies_does_not_spoil_the_others(scenes: ModuleType) -> None:
    """Where the liar sees best, what the next view says is taken whole."""
    mesh = scenes.sphere(3)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(8), resolution=(96, 96))
    given = _turned(views, 12)
    given[0] = _turned(views, 90)[0]
    found, points = _decoded(scenes, mesh, atlas, _map(mesh, atlas, views, normals=given))
    outward = unit(points)
    before_it = (outward[:, 2] > 0.97) & (np.abs(outward[:, 1]) < 0.2)
    assert before_it.sum() > 50
    assert _degrees(found, outward @ _about_y(12).T)[before_it].mean() < 1.5


def test_lost_normals_change_nothing(scenes: ModuleType) -> None:
    """One view has none (zeros inside of its mask): the others' are taken."""
    mesh = scenes.sphere(3)
    atlas = scenes.side_atlas(mesh)
    views = scenes.views(mesh, scenes.ring(6), resolution=(64, 64))
    given = views.normals.numpy().copy()
    given[1] = 0
    found, points = _decoded(scenes, mesh, atlas, _map(mesh, atlas, views, normals=given))
    assert np.isfinite(found).all()
    equator = np.abs(points[:, 1]) < 0.4
    assert np.quantile(_degrees(found, unit(points))[equator], 0.99) < 3


def test_same_bytes(scenes: ModuleType) -> None:
    mesh, fine = scenes.sphere(1), scenes.sphere(3)
    atlas = scenes.face_atlas(mesh)
    views = scenes.views(fine, scenes.ring(3), resolution=(64, 64))
    several = [_map(mesh, atlas, views, fine, views.normals.numpy()).tobytes() for _ in range(2)]
    with parallel.limit(1):
        several.append(_map(mesh, atlas, views, fine, views.normals.numpy()).tobytes())
    assert len(set(several)) == 1
