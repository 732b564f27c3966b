"""Initial meshes: carved from the visual hull, the hull itself, a relief, a sphere, or a given mesh."""

from meshopt.initial.construction import KINDS, InitialMesh, initial_mesh
from meshopt.initial.given import given_mesh

__all__ = ["KINDS", "InitialMesh", "given_mesh", "initial_mesh"]
