"""A model that draws the normals and the colours of its views together, by a pipeline of meshopt's own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Pillow

from meshopt.errors import InputError
from meshopt.generate.adapters import Card, GeneratedViews, Request
from meshopt.generate.preparation import Framed, Framing, as_bytes
from meshopt.rigs import load_rig

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

ETA = 1.0


@dataclass(frozen=True)
class JointModel:
    """A ViewModel whose weights are one part; `pipeline`: the module in pipelines/ that loads it."""

    card: Card
    framing: Framing
    rig: str
    pipeline: str

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The pipeline."""
        from meshopt.generate.libraries import loading

        folder = weights[self.card.parts[0].name]
        with loading(folder):
            module = import_module(f"meshopt.generate.pipelines.{self.pipeline}")
            pipeline = module.load_pipeline(folder, runtime.dtype, weights.options)
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
        """The six views; normals in the front camera's frame."""
        pictures = np.ascontiguousarray(np.asarray(output, np.float32).transpose(0, 2, 3, 1))
        if not np.isfinite(pictures).all():
            raise InputError("the model gave NaN: --dtype float16 is too coarse for it, --dtype float32 is not.")
        normals, colours = np.split(pictures, 2)
        return GeneratedViews(load_rig(self.rig), colours, 2 * normals - 1, "front")
