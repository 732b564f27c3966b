"""Zero123++ v1.1: six views of a picture, without normals; `meshopt normals` estimates these.

Reviewed against SUDO-AI-3D/zero123plus at 7d0315c: README.md, "Get Started" (scheduler, 75 steps; the pipeline's own
guidance is 4) and, for the picture, gradio_app.py, `preprocess` (the object at 75 %, before white). The weights are of
the class that v1.2's are of: a folder alone is taken for v1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from meshopt.generate.adapters import Card, GeneratedViews, Part, Request
from meshopt.generate.models.zero123plus import LICENCE, SAID, draw, load_pipeline, tiles
from meshopt.generate.preparation import Framed, Framing
from meshopt.rigs import load_rig

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

MAIN = Part("pipeline", "sudo-ai/zero123plus-v1.1", LICENCE, SAID)


class Zero123PlusV11:
    """The authors' pipeline."""

    card = Card(
        name="zero123plus-v1.1",
        title="Zero123++ v1.1",
        parts=(MAIN,),
        kinds=("Zero123PlusPipeline",),
        steps=75,
        guidance=4.0,
        usage="https://github.com/SUDO-AI-3D/zero123plus/blob/main/examples/img_to_mv.py",
        code="sudo-ai/zero123plus-pipeline",
        offload=False,
        normals=False,
    )
    framing = Framing(512, 0.75, 1.0)
    rig = "zero123plus-v1.1"

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The pipeline."""
        return load_pipeline(weights, runtime)

    def run(self, pipeline: Any, picture: Framed, request: Request, runtime: Runtime) -> Any:
        """A picture of all views."""
        return draw(pipeline, "views", picture, request, runtime)

    def decode(self, output: Any) -> GeneratedViews:
        """The six views."""
        return GeneratedViews(load_rig(self.rig), tiles(output).astype(np.float32) / 255, None, "camera")


ADAPTER = Zero123PlusV11()
