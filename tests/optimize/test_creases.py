import math

import numpy as np
import torch
import trimesh

from meshopt.mesh import Mesh, face_normals, vertex_normals
from meshopt.optimize.creases import parted
from meshopt.remesh import remesh


def linked(mesh):
    """The mesh as the remesher leaves it, and its connectivity."""
    done = remesh(mesh.vertices, mesh.faces, torch.full((len(mesh.vertices),), 0.2))
    return done.vertices, done.faces, done.links


def cube():
    box = trimesh.creation.box().subdivide().subdivide()
    return Mesh(torch.tensor(box.vertices, dtype=torch.float32), torch.tensor(box.faces, dtype=torch.int32))


def slow(vertices, faces, degrees):
    """Which corners share a vertex: those that edges below the angle connect around it."""
    normals = face_normals(vertices, faces).double().numpy()
    index = faces.numpy()
    side = {(a, b): f for f, face in enumerate(index) for a, b in zip(face, np.roll(face, -1), strict=True)}
    owner = {(f, v): (f, v) for f, face in enumerate(index) for v in face}

    def find(item):
        while owner[item] != item:
            item = owner[item]
        return item

    for (a, b), f in side.items():
        g = side[b, a]
        if normals[f] @ normals[g] >= math.cos(math.radians(degrees)):
            for v in (a, b):
                owner[find((f, v))] = find((g, v))
    return [find((f, v)) for f, face in enumerate(index) for v in face]


def test_a_cube_falls_into_its_six_sides():
    vertices, faces, links = linked(cube())
    found = parted(vertices, faces, links, 50.0)
    assert torch.equal(found.origin[found.faces.long()].to(faces), faces)
    own = vertices[found.origin]
    normals, flat = vertex_normals(own, found.faces), face_normals(vertices, faces)
    for corner in range(3):
        assert torch.allclose(normals[found.faces[:, corner].long()], flat, atol=1e-4)


def test_parts_are_those_of_the_plain_search(sphere):
    mesh = sphere(0.5, 2)
    rough = mesh.vertices * (1 + 0.3 * torch.randn(len(mesh.vertices), 1, generator=torch.Generator().manual_seed(1)))
    vertices, faces, links = linked(Mesh(rough, mesh.faces))
    for degrees in (20.0, 50.0):
        found = parted(vertices, faces, links, degrees).faces.reshape(-1).tolist()
        expected = slow(vertices, faces, degrees)
        assert len(set(found)) > len(vertices)
        pairs = set(zip(found, expected, strict=True))
        assert len(pairs) == len(set(found)) == len(set(expected))


def test_a_smooth_mesh_stays_whole(sphere):
    vertices, faces, links = linked(sphere(0.5))
    found = parted(vertices, faces, links, 50.0)
    assert torch.equal(found.faces, faces)
    assert len(found.origin) == len(vertices)
