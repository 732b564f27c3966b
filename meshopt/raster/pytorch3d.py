"""PyTorch3D's mesh rasteriser under the protocol, for users who have it: CPU and CUDA, slow on a CPU.

PyTorch3D finds the face at each pixel; weights, interpolation and silhouettes are meshopt's torch code. Its frame:
+x left, +y up, row 0 on top; the shorter side of the image is [-1, 1], and pixels are square; z > 0, nearer is smaller.
"""

from __future__ import annotations

import importlib
import importlib.util

import torch
from jaxtyping import Int
from torch import Tensor

from meshopt.errors import InputError
from meshopt.raster.clipping import ClippedView
from meshopt.raster.coverage import CoverageRasterizer

HELP = (
    '`pip install "git+https://github.com/facebookresearch/pytorch3d.git@stable" --no-build-isolation` builds it for'
    " the torch that is installed; its licence, BSD-3-Clause, allows any use"
)
EDGE = 1e-12  # squared distance, half images: pixel centres exactly on an edge belong to no face unless it is blurred
FRONT = 2.0  # added to z/w in [-1, 1]: PyTorch3D leaves out faces with a z that is not positive


class Pytorch3dRasterizer(CoverageRasterizer):
    """PyTorch3D's `rasterize_meshes` with one face per pixel, without culling.

    It leaves out faces of less than 0.5e-8 squared half images, which count where faces are far smaller than pixels.
    """

    name = "pytorch3d"
    licence = "BSD-3-Clause"
    devices: tuple[str, ...] = ("cpu", "cuda")
    rank = 5

    def unusable(self) -> str | None:
        """None if it can be imported, else why not and what mends it."""
        if importlib.util.find_spec("pytorch3d") is None:
            return f"pytorch3d is not installed; {HELP}"
        try:
            importlib.import_module("pytorch3d.renderer.mesh.rasterize_meshes")
            importlib.import_module("pytorch3d.structures")
        except Exception as error:  # built for another torch, most often
            return f"pytorch3d fails to start ({type(error).__name__}: {error}); {HELP}"
        return None

    def nearest(self, views: list[ClippedView], resolution: tuple[int, int]) -> Int[Tensor, "V H W"]:
        """The nearest face, -1 where there is none."""
        rasterize = importlib.import_module("pytorch3d.renderer.mesh.rasterize_meshes").rasterize_meshes
        meshes = importlib.import_module("pytorch3d.structures").Meshes
        height, width = resolution
        scale = torch.tensor([-max(width / height, 1.0), -max(height / width, 1.0), 1.0], device=views[0].points.device)
        shift = scale.new_tensor([0.0, 0.0, FRONT])
        batch = meshes(verts=[view.points.float() * scale + shift for view in views], faces=[v.faces for v in views])
        try:
            face = rasterize(
                batch,
                image_size=(height, width),
                blur_radius=EDGE,
                faces_per_pixel=1,
                perspective_correct=False,  # z/w is linear in the image, and so is what decides who is nearer
                clip_barycentric_coords=False,
                cull_backfaces=False,
            )[0][..., 0]
        except RuntimeError as error:
            if "GPU support" not in str(error):
                raise
            raise InputError(f"the pytorch3d installed here is built without CUDA, use device cpu; or {HELP}") from None
        counts = torch.tensor([len(view.faces) for view in views], device=face.device)
        first = (counts.cumsum(0) - counts)[:, None, None]
        return torch.where(face >= 0, face - first, -1).int()
