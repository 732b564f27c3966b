"""MVDream: four views of what a text says, without a picture and without normals; `meshopt normals` estimates these.

The weights are ashawkey's, converted from the authors'; the pipeline is ImageDream's without its picture. Reviewed
against ashawkey/mvdream_diffusers at 8b318ef, run_mvdream.py: 30 steps, guidance 5, elevation 0, no negative prompt,
and the text as it is. bytedance/MVDream, scripts/t2i.py, adds ", 3d asset" to the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshopt.generate.adapters import Card, GeneratedViews, Part, Request
from meshopt.generate.models.imagedream import RIG, draw, load_pipeline, views_of

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

MAIN = Part(
    "pipeline",
    "ashawkey/mvdream-sd2.1-diffusers",
    "openrail",
    "https://huggingface.co/ashawkey/mvdream-sd2.1-diffusers, model card",
)


class MVDream:
    """meshopt's pipeline over the published weights."""

    card = Card(
        name="mvdream",
        title="MVDream",
        parts=(MAIN,),
        kinds=("MVDreamPipeline",),
        steps=30,
        guidance=5.0,
        usage="https://github.com/ashawkey/mvdream_diffusers/blob/main/run_mvdream.py",
        normals=False,
        prompt=True,
    )
    framing = None
    rig = RIG

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The pipeline."""
        return load_pipeline(weights, MAIN, runtime, pictures=False)

    def run(self, pipeline: Any, picture: None, request: Request, runtime: Runtime) -> Any:
        """Four pictures [4, 3, H, W] in [0, 1]."""
        return draw(pipeline, None, request, runtime)

    def decode(self, output: Any) -> GeneratedViews:
        """The four views."""
        return views_of(output)


ADAPTER = MVDream()
