"""The page of a mesh file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from meshopt.io.mesh_parts import read_textured
from meshopt.io.meshes import load_mesh
from meshopt.mesh import Texture
from meshopt.report.page.pages import mesh_page
from meshopt.report.page.scene import surface_of


def file_page(path: Path) -> bytes:
    """Shows the file's mesh: textured where it is one part with one texture, else in the colours of its vertices.

    Raises InputError where the file cannot be read.
    """
    mesh = load_mesh(path)
    part = read_textured(path)
    if part is not None and len(part.faces) == len(mesh.faces):  # none was left out: corners are the same
        faces = torch.from_numpy(part.faces)
        mesh = replace(mesh, texture=Texture(torch.from_numpy(part.uv), faces, torch.from_numpy(part.image.copy())))
    count = f"{len(mesh.faces):,} faces, {len(mesh.vertices):,} vertices"
    surface = surface_of(mesh)
    return mesh_page(path.name, count, surface, None if part is None or surface.uv is None else part.image)
