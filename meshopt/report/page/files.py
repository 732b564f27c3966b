"""The page of a mesh file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshopt.io.mesh_parts import TexturedPart, read_textured
from meshopt.io.meshes import load_mesh
from meshopt.report.page.pages import mesh_page
from meshopt.report.page.scene import MOST_FACES, Surface, surface_of


def file_page(path: Path) -> bytes:
    """Shows the file's mesh: textured where it is one part with one texture, else in the colours of its vertices.

    Raises InputError where the file cannot be read.
    """
    mesh = load_mesh(path)
    part = read_textured(path) if len(mesh.faces) <= MOST_FACES else None
    count = f"{len(mesh.faces):,} faces, {len(mesh.vertices):,} vertices"
    if part is None:
        return mesh_page(path.name, count, surface_of(mesh))
    return mesh_page(path.name, count, _textured(part), part.image)


def _textured(part: TexturedPart) -> Surface:
    """Normals are blended over all vertices at one place."""
    import torch

    from meshopt.mesh import vertex_normals

    places, same = np.unique(part.vertices, axis=0, return_inverse=True)
    same = same.reshape(-1)
    normals = vertex_normals(torch.from_numpy(places), torch.from_numpy(same[part.faces])).numpy()
    return Surface(part.vertices, part.faces, normals[same], uv=part.uv)
