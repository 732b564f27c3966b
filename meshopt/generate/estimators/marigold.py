"""Marigold: the normals of one picture by a diffusion model.

Reviewed against the published usage: diffusers 0.42, pipelines/marigold/pipeline_marigold_normals.py (`__call__`), and
prs-eth/Marigold at b1dffaa. The maps are in the camera's frame with OpenGL's axes: x right, y up, z towards the viewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from meshopt.errors import InputError
from meshopt.generate.adapters import Card, Part, Request

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

MAIN = Part(
    "pipeline",
    "prs-eth/marigold-normals-v1-1",
    "RAIL++-M",
    "https://github.com/prs-eth/Marigold, README, License",
)


class Marigold:
    """diffusers' MarigoldNormalsPipeline."""

    card = Card(
        name="marigold",
        title="Marigold normals v1.1",
        parts=(MAIN,),
        kinds=("MarigoldNormalsPipeline",),
        steps=4,
        guidance=0.0,
        usage="https://github.com/huggingface/diffusers, pipelines/marigold/pipeline_marigold_normals.py",
    )

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The pipeline. Raises InputError where its folder cannot be loaded as one."""
        from meshopt.generate.libraries import loading

        with loading(weights[MAIN.name]):
            from diffusers import MarigoldNormalsPipeline

            pipeline = MarigoldNormalsPipeline.from_pretrained(
                weights[MAIN.name], dtype=runtime.dtype, **weights.options
            )
        return runtime.place(pipeline)

    def run(
        self, pipeline: Any, picture: Float[np.ndarray, "H W 3"], request: Request, runtime: Runtime
    ) -> Float[np.ndarray, "H W 3"]:
        """Unit normals in the camera's frame, OpenGL's axes, of the picture's size."""
        runtime.watch(pipeline, "normals")
        result = pipeline(
            np.ascontiguousarray(picture, np.float32),
            num_inference_steps=request.steps,
            ensemble_size=1,
            match_input_resolution=True,
            output_type="np",
            generator=runtime.generator(request.seed),
        )
        normals = np.asarray(result.prediction[0], np.float32)
        if normals.shape != picture.shape or not np.isfinite(normals).all():
            raise InputError(
                f"the model gave normals of shape {normals.shape} or with NaN, expected {picture.shape}: its weights "
                "are of another model, or --dtype float16 is too coarse for them (--dtype float32 is not)."
            )
        return normals


ADAPTER = Marigold()
