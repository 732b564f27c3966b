"""PLY files out."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from meshopt import __version__
from meshopt.io.mesh_arrays import MeshArrays


def encode_ply(mesh: MeshArrays) -> bytes:
    """Binary little-endian PLY, colours as 8-bit sRGB; it knows no texture, and one normal for each vertex."""
    fields = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    if mesh.colors is not None:
        fields += [(name, "u1") for name in ("red", "green", "blue")]
    vertices = np.empty(len(mesh.positions), fields)
    normals = _vertex_normals(mesh)
    for axis, name in enumerate("xyz"):
        vertices[name], vertices[f"n{name}"] = mesh.positions[:, axis], normals[:, axis]
    if mesh.colors is not None:
        for channel, name in enumerate(("red", "green", "blue")):
            vertices[name] = np.round(mesh.colors[:, channel] * 255)
    faces = np.empty(len(mesh.faces), [("count", "u1"), ("index", "<i4", 3)])
    faces["count"], faces["index"] = 3, mesh.faces
    lines = ["ply", "format binary_little_endian 1.0", f"comment meshopt {__version__}"]
    lines.append(f"element vertex {len(vertices)}")
    lines += [f"property {'uchar' if kind == 'u1' else 'float'} {name}" for name, kind in fields]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(lines).encode() + vertices.tobytes() + faces.tobytes()


def _vertex_normals(mesh: MeshArrays) -> Float32[np.ndarray, "N 3"]:
    """The vertices' normals; at creases the mean of the corners', so that vertices need not be split."""
    if np.array_equal(mesh.faces, mesh.normal_faces):
        return mesh.normals
    total = np.zeros((len(mesh.positions), 3), np.float64)
    np.add.at(total, mesh.faces, mesh.normals[mesh.normal_faces])
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype("<f4")
