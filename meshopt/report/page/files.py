"""The page of a mesh file."""

from __future__ import annotations

import warnings
from pathlib import Path

from meshopt.errors import InputError, MeshoptWarning
from meshopt.io.limits import LIMITS, MeshLimits
from meshopt.io.meshes import load_mesh
from meshopt.mesh import Mesh
from meshopt.report.page.pages import mesh_page
from meshopt.report.page.scene import surface_of


def file_page(path: Path, limits: MeshLimits = LIMITS) -> bytes:
    """Shows the file's mesh with its textures, or in the colours of its vertices.

    Textures that cannot be read are left out, with a MeshoptWarning. Raises InputError where the mesh cannot be read.
    """
    mesh = _loaded(path, limits)
    count = f"{len(mesh.faces):,} faces, {len(mesh.vertices):,} vertices"
    surface = surface_of(mesh)
    shown = mesh.texture is not None and surface.uv is not None
    return mesh_page(path.name, count, surface, mesh.texture.color.numpy() if shown and mesh.texture else None)


def _loaded(path: Path, limits: MeshLimits) -> Mesh:
    try:
        return load_mesh(path, textures=True, limits=limits)
    except InputError as error:
        mesh = load_mesh(path, limits=limits)  # says what is wrong with it, if it is not the texture
        warnings.warn(f"{error}; the mesh is shown without it", MeshoptWarning, stacklevel=2)
        return mesh
