"""Era3D: six orthographic views of a picture and their normal maps, also of pictures from above or from close by.

Its model card says that the weights are under Apache-2.0; the README of its code, that products with the code or the
model in them have to comply with AGPL-3.0. meshopt's own pipeline (pipelines/era3d.py) reads the published weights.
Reviewed against pengHTYX/Era3D at a2ce68d:

- configs/test_unclip-512-6view.yaml: 512 pixels, crop_size 420, white background, guidance 3, 40 steps, eta 1.
- test_mvdiffusion_unclip.py, `log_validation_joint`: of twelve pictures the first six are the normals, in the order of
  VIEWS, which is the rig's.
- mvdiffusion/data/dreamdata.py, `load_normal`: the normals are in the level front camera's frame, with OpenGL's axes,
  before the picture's background (white).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image as Pillow

from meshopt.generate.adapters import Card, GeneratedViews, Part, Request
from meshopt.generate.models.wonder3d import normals_and_colours
from meshopt.generate.preparation import Framed, Framing, as_bytes

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

MAIN = Part(
    "pipeline",
    "pengHTYX/MacLab-Era3D-512-6view",
    "Apache-2.0 by its model card, AGPL-3.0 by its code's README",
    "https://huggingface.co/pengHTYX/MacLab-Era3D-512-6view, https://github.com/pengHTYX/Era3D#license",
)
ETA = 1.0


class Era3D:
    """meshopt's pipeline over the published weights."""

    card = Card(
        name="era3d",
        title="Era3D",
        parts=(MAIN,),
        kinds=("StableUnCLIPImg2ImgPipeline",),
        steps=40,
        guidance=3.0,
        usage="https://github.com/pengHTYX/Era3D/blob/main/test_mvdiffusion_unclip.py",
    )
    framing = Framing(512, 420 / 512, 1.0)
    rig = "era3d"

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The pipeline."""
        from meshopt.generate.libraries import loading

        with loading(weights[MAIN.name]):
            from meshopt.generate.pipelines.era3d import load_pipeline

            pipeline = load_pipeline(weights[MAIN.name], runtime.dtype, weights.options)
        return runtime.place(pipeline)

    def run(self, pipeline: Any, picture: Framed, request: Request, runtime: Runtime) -> Any:
        """Twelve pictures [12, 3, H, W] in [0, 1]: normals, then colours."""
        runtime.watch(pipeline, "views")
        return pipeline(
            Pillow.fromarray(as_bytes(picture)),
            steps=request.steps,
            guidance=request.guidance,
            eta=ETA,
            generator=runtime.generator(request.seed),
        )

    def decode(self, output: Any) -> GeneratedViews:
        """The six views."""
        return normals_and_colours(output, self.rig)


ADAPTER = Era3D()
