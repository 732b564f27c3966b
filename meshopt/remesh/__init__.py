"""Remeshing: edge-length control, decimation, refinement; on CPU arrays, for tensors of any device."""

from meshopt.remesh.budget import decimate, refine_to, to_faces
from meshopt.remesh.isotropic import Counts, Remeshed, RemeshSettings, remesh

__all__ = ["Counts", "RemeshSettings", "Remeshed", "decimate", "refine_to", "remesh", "to_faces"]
