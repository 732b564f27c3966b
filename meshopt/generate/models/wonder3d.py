"""Wonder3D v1.0: six orthographic views of a picture and their normal maps.

The weights are under AGPL-3.0 by their model card (the code is under MIT by its LICENSE), and pickles. The published
pipeline needs diffusers 0.19 and a clone of its repository; meshopt's own (pipelines/wonder3d.py) reads the same
weights. Reviewed against xxlong0/Wonder3D at d894f82:

- configs/mvdiffusion-joint-ortho-6views.yaml: 256 pixels, crop_size 192, white background, eta 1.
- README.md: the meshes are made of what guidance 1 gives (cropsize-192-cfg1.0); 50 steps are the pipeline's own.
- test_mvdiffusion_seq.py, `log_validation_joint`: of twelve pictures the first six are the normals, in the order of
  VIEWS, which is the rig's. The normals are in the front camera's frame (instant-nsr-pl/datasets/ortho.py).
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
    "flamehaze1115/wonder3d-v1.0",
    "AGPL-3.0",
    "https://huggingface.co/flamehaze1115/wonder3d-v1.0, model card",
    pickled=True,
)
ETA = 1.0


class Wonder3D:
    """meshopt's pipeline over the published weights."""

    card = Card(
        name="wonder3d",
        title="Wonder3D v1.0",
        parts=(MAIN,),
        kinds=("MVDiffusionImagePipeline",),
        steps=50,
        guidance=1.0,
        usage="https://github.com/xxlong0/Wonder3D/blob/main/test_mvdiffusion_seq.py",
    )
    framing = Framing(256, 192 / 256, 1.0)
    rig = "wonder3d"

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The pipeline."""
        from meshopt.generate.libraries import loading

        with loading(weights[MAIN.name]):
            from meshopt.generate.pipelines.wonder3d import load_pipeline

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


def normals_and_colours(output: Any, rig: str) -> GeneratedViews:
    """The views in twelve pictures [12, 3, H, W] in [0, 1], normals in the front camera's frame before the colours."""
    pictures = np.ascontiguousarray(np.asarray(output, np.float32).transpose(0, 2, 3, 1))
    if not np.isfinite(pictures).all():
        raise InputError("the model gave NaN: --dtype float16 is too coarse for it, --dtype float32 is not.")
    normals, colours = np.split(pictures, 2)
    return GeneratedViews(load_rig(rig), colours, 2 * normals - 1, "front")


ADAPTER = Wonder3D()
