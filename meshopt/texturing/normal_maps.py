"""Tangent-space normal maps: the normals of a fine surface and of the views, on a coarser mesh."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8

from meshopt.mesh import Mesh, distinct_corners
from meshopt.shading import shading
from meshopt.tangents import tangents
from meshopt.texturing.atlas import Atlas
from meshopt.texturing.baking import sharpened, unit
from meshopt.texturing.lattice import Lattice
from meshopt.texturing.levelling import blended
from meshopt.texturing.observation import Observer
from meshopt.texturing.pixels import nearest
from meshopt.texturing.texels import Texels

CREDIBLE = np.cos(np.radians([20.0, 40.0]))  # from the surface's normal: trusted up to the first, not from the second
SURE = 0.3  # sum over the views of how sure they are, from which on their normals are taken; else the surface's come in
FLAT = (128, 128, 255)  # no deviation


def bake_normals(
    mesh: Mesh, atlas: Atlas, lattice: Lattice, observer: Observer, trust: Float[np.ndarray, " V"], texels: Texels
) -> UInt8[np.ndarray, "T T 3"]:
    """The map for `mesh`, of the surface that the lattice lies on, finer where views' normals are to be had.

    `observer` sees the views' normals (world frame; 0 where unknown). A view's normal counts where it sees the surface,
    less the more it deviates from the surface's own.
    """
    point = np.concatenate([lattice.points, lattice.normals], axis=1).astype(np.float32)
    surface = torch.from_numpy(point[lattice.point_of])
    frames, frame_texels = _frames(mesh, atlas, texels.size)

    def band(top: int, bottom: int) -> tuple[np.ndarray, np.ndarray]:
        inside, values = texels.at(surface, top, bottom)
        framed, frame = frame_texels.at(frames, top, bottom)
        inside &= framed
        values, frame = values[inside], frame[inside]
        own = unit(values[:, 3:6])
        seen = observer.at(values[:, :3], own).trusted(trust)
        given = unit(seen.color)
        agreement = np.einsum("vpc,pc->vp", given, own)
        credible = np.clip((agreement - CREDIBLE[1]) / (CREDIBLE[0] - CREDIBLE[1]), 0, 1).astype(np.float32)
        mixed = blended(sharpened(seen.weight * credible), given)
        share = np.clip((seen.sure * credible).sum(0) / SURE, 0, 1)[:, None]
        image = np.full((*inside.shape, 3), FLAT, np.uint8)
        image[inside] = _encoded(unit(share * mixed + (1 - share) * own), frame)
        return image, inside

    return nearest(*texels.bands(band, channels=13 + 5 * len(trust)))  # mipmaps find nothing else beside charts


def _frames(mesh: Mesh, atlas: Atlas, size: int) -> tuple[Float[torch.Tensor, "S 7"], Texels]:
    """Normal, tangent and its sign at the atlas' corners, and the texels that lie between them."""
    shaded = shading(mesh).to("cpu")
    (place, normal), rows = distinct_corners(atlas.faces.cpu().numpy(), shaded.faces.numpy())
    uv, faces = atlas.uv.cpu()[torch.from_numpy(place).long()], torch.from_numpy(rows)
    along = tangents(mesh.vertices, shaded.normals, mesh.faces, uv, faces, shaded.faces)
    return torch.cat([shaded.normals[torch.from_numpy(normal).long()], along], dim=1).float(), Texels(uv, faces, size)


def _encoded(normals: Float32[np.ndarray, "K 3"], frame: Float32[np.ndarray, "K 7"]) -> UInt8[np.ndarray, "K 3"]:
    """World normals in the frames (normal, tangent, sign), as bytes."""
    up, along = unit(frame[:, :3]), unit(frame[:, 3:6])
    across = np.cross(up, along) * np.sign(frame[:, 6:])
    # the frame is not quite orthogonal between vertices: solved, not projected
    solved = np.linalg.solve(
        np.stack([along, across, up], axis=-1) + 1e-9 * np.eye(3, dtype=np.float32), normals[..., None]
    )
    solved = unit(solved[..., 0])
    return np.round(255 * np.clip(solved / 2 + 0.5, 0, 1)).astype(np.uint8)
