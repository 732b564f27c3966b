"""The face across each edge: kept for one tensor of faces, and found anew when that changes."""

import torch
import trimesh

from meshopt.raster.adjacency import adjacency


def found(faces, count):
    across = adjacency(faces, count)
    across.find()
    return across.found()


def tetrahedron():
    return torch.tensor([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]], dtype=torch.int32)


def test_across_each_edge_of_a_closed_mesh_lies_the_face_with_the_reversed_edge():
    faces = trimesh.creation.icosphere(2).faces
    across = found(torch.tensor(faces, dtype=torch.int32), int(faces.max()) + 1)
    for f, corners in enumerate(faces):
        for k in range(3):
            other = faces[across[f, k]].tolist()
            at = other.index(corners[(k + 1) % 3])
            assert other[at - 1] == corners[(k + 2) % 3]


def test_the_same_tensor_is_looked_at_once():
    faces = tetrahedron()
    assert found(faces, 4) is found(faces, 4)
    assert found(faces.clone(), 4) is not found(faces, 4)


def test_a_changed_tensor_is_looked_at_again():
    faces = tetrahedron()
    before = found(faces, 4).copy()
    faces[3] = torch.tensor([2, 2, 0])
    after = found(faces, 4)
    assert (before >= 0).all()
    assert (after[3] == -1).all()


def test_tensors_without_a_version_are_looked_at_every_time():
    with torch.inference_mode():
        faces = tetrahedron() * 1
        first = found(faces, 4)
        faces[3] = torch.tensor([2, 2, 0])
        assert (first >= 0).all()
        assert (found(faces, 4)[3] == -1).all()
