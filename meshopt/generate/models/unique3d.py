"""Unique3D: four orthographic views of a picture and their normal maps, one model for each.

The weights lie in ckpt/ of the authors' space: img2mvimg and image2normal, each as diffusers saves a pipeline, with
unet_state_dict.pth, a pickle, beside the components (their files: README.md of HelinXu/img2normal_unique3d at 0c0b1e2;
their configs: Checkpoints/Diffusers/MrForExample/Unique3D of MrForExample/ComfyUI-3D-Pack at 9e8096e, a copy). LICENSE
of the repository is MIT's; none is stated for the weights alone, which are a fine-tune of
lambdalabs/sd-image-variations-diffusers. The published code needs diffusers 0.27 and a clone of its repository;
meshopt's own pipeline (pipelines/unique3d.py) reads the same weights. Reviewed against AiuniAI/Unique3D at a4f4ad2:

- app/custom_models/mvimg_prediction.py, `run_mvprediction`: guidance 1.5, 30 steps, 256 pixels; scripts/utils.py,
  `simple_preprocess`: the object's box fills the picture's longer side, before white.
- scripts/multiview_inference.py, `geo_reconstruct`: the given picture is the front view; the others are enlarged to 512
  pixels by Lanczos' filter; `predict_normals` with guidance 1.5 and app/custom_models/normal_prediction.py: 30 steps.
- Normals are predicted in each camera's frame; `rotate_normals_torch` of scripts/utils.py turns them afterwards, and
  truncates them to 8 bits. Here they stay as the model drew them.

Unlike there, the views are neither redrawn (`refine_rgb`, the authors' default) nor sharpened by Real-ESRGAN
(`run_sr_fast`) before their normals are drawn, and the noise of the normals follows the seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from PIL import Image as Pillow

from meshopt.errors import InputError
from meshopt.generate.adapters import Card, GeneratedViews, Part, Request
from meshopt.generate.preparation import Framed, Framing, as_bytes
from meshopt.rigs import load_rig

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

SPACE, FILES = "spaces/Wuvin/Unique3D", ("unet_state_dict.pth",)
LICENCE, SAID = "MIT of the code", "https://github.com/AiuniAI/Unique3D, LICENSE; none is stated for the weights alone"
COLOURS = Part("views", SPACE, LICENCE, SAID, "img2mvimg", pickled=True, inside="ckpt/img2mvimg", files=FILES)
NORMALS = Part("normals", SPACE, LICENCE, SAID, "image2normal", pickled=True, inside="ckpt/image2normal", files=FILES)
DRAWN, SIZE = 256, 512  # pixels of the views as they are drawn, and of their normals


class Unique3D:
    """meshopt's pipelines over the published weights."""

    card = Card(
        name="unique3d",
        title="Unique3D",
        parts=(COLOURS, NORMALS),
        kinds=("StableDiffusionImage2MVCustomPipeline",),
        steps=30,
        guidance=1.5,
        usage="https://github.com/AiuniAI/Unique3D/blob/main/scripts/multiview_inference.py",
    )
    framing = Framing(SIZE, 1.0, 1.0)
    rig = "unique3d"

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The two pipelines."""
        from meshopt.generate.libraries import loading

        with loading(weights[COLOURS.name]):
            from meshopt.generate.pipelines.unique3d import load_normals, load_views

            colours = load_views(weights[COLOURS.name], runtime.dtype, weights.options)
        with loading(weights[NORMALS.name]):
            normals = load_normals(weights[NORMALS.name], runtime.dtype, weights.options)
        return runtime.place(colours), runtime.place(normals)

    def run(self, pipeline: Any, picture: Framed, request: Request, runtime: Runtime) -> Any:
        """The views, pictures of 8 bits, and their normal maps [4, 3, H, W] in [0, 1]."""
        colours, normals = pipeline
        settings = {"steps": request.steps, "guidance": request.guidance}
        front = Pillow.fromarray(as_bytes(picture))
        runtime.watch(colours, "views")
        drawn = colours([front], size=DRAWN, generator=runtime.generator(request.seed), **settings)
        views = [front, *(_enlarged(view) for view in _pixels(drawn)[1:])]
        runtime.watch(normals, "normals")
        return views, normals(views, size=SIZE, generator=runtime.generator(request.seed + 1), **settings)

    def decode(self, output: Any) -> GeneratedViews:
        """The four views."""
        views, maps = output
        colours = np.stack([np.asarray(view, np.float32) / 255 for view in views])
        return GeneratedViews(load_rig(self.rig), colours, 2 * _pixels(maps) - 1, "camera")


def _pixels(pictures: Any) -> Float[np.ndarray, "V H W 3"]:
    """Pictures [V, 3, H, W] as arrays. Raises InputError where there is NaN in them."""
    pixels = np.ascontiguousarray(np.asarray(pictures, np.float32).transpose(0, 2, 3, 1))
    if not np.isfinite(pixels).all():
        raise InputError("the model gave NaN: --dtype float16 is too coarse for it, --dtype float32 is not.")
    return pixels


def _enlarged(view: Float[np.ndarray, "H W 3"]) -> Pillow.Image:
    """A view of the normals' size; of 8 bits before and after, as published."""
    image = Pillow.fromarray(np.round(view * 255).astype(np.uint8))
    return image.resize((SIZE, SIZE), Pillow.Resampling.LANCZOS)


ADAPTER = Unique3D()
