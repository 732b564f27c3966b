"""Zero123++ v1.2 and its normal ControlNet: six views of a picture and their normal maps.

Reviewed line by line against SUDO-AI-3D/zero123plus at 7d0315c:

- examples/normal_gen.py: the pipeline, then the same with the ControlNet at scale 1, which is shown the colours as
  `depth_image`; prompt '', guidance 4, 75 steps, 640 x 960, the object at 95 % of the picture where it is rescaled.
- examples/img_to_mv.py and README.md: the scheduler is EulerAncestralDiscreteScheduler with trailing steps.
- diffusers-support/pipeline.py: the pipeline is code of the authors; it takes a picture with alpha onto the grey 127,
  and draws some of its noise from torch's global numbers, so that these are seeded, too (`Runtime.seeded`).
- examples/matting_postprocess.py: the background of the normal maps is grey, the zero vector. meshopt's own matting of
  normal maps has the thresholds of that file.

Unlike there, the ControlNet is added to the pipeline itself after the colours are drawn, not to a copy of it. Normals
are in each camera's frame, with OpenGL's axes ("view-space normal images").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow

from meshopt.errors import InputError
from meshopt.generate.adapters import Card, GeneratedViews, Part, Request
from meshopt.generate.preparation import Framed, Framing, as_bytes
from meshopt.rigs import load_rig

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

LICENCE, SAID = "CC-BY-NC-4.0", "https://github.com/SUDO-AI-3D/zero123plus, README, License"
MAIN = Part("pipeline", "sudo-ai/zero123plus-v1.2", LICENCE, SAID)
CONTROL = Part("controlnet", "sudo-ai/controlnet-zp12-normal-gen-v1", LICENCE, SAID, folder="controlnet")
GREY = 127 / 255
TILE, SHEET = 320, (3, 2)  # pixels of a view; rows and columns of the picture that shows all


class Zero123Plus:
    """The authors' pipeline, run twice: for colours, and for their normals."""

    card = Card(
        name="zero123plus",
        title="Zero123++ v1.2",
        parts=(MAIN, CONTROL),
        kinds=("Zero123PlusPipeline",),
        steps=75,
        guidance=4.0,
        usage="https://github.com/SUDO-AI-3D/zero123plus/blob/main/examples/normal_gen.py",
        code="sudo-ai/zero123plus-pipeline",
        offload=False,  # it asks the components for the device that they are on
    )
    framing = Framing(512, 0.95, GREY)
    rig = "zero123plus"

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The pipeline, and the ControlNet that is added to it after its first run."""
        from meshopt.generate.libraries import loading

        pipeline = load_pipeline(weights, runtime)
        with loading(weights[CONTROL.name]):
            from diffusers import ControlNetModel

            control = ControlNetModel.from_pretrained(weights[CONTROL.name], dtype=runtime.dtype, **weights.options)
        return pipeline, control

    def run(self, pipeline: Any, picture: Framed, request: Request, runtime: Runtime) -> Any:
        """Two pictures, each of all views: the colours and the normals."""
        model, control = pipeline
        colours = draw(model, "views", picture, request, runtime)
        model.add_controlnet(control, conditioning_scale=1.0)
        runtime.place(model, attention=False)
        other = replace(request, seed=request.seed + 1)
        return colours, draw(model, "normals", picture, other, runtime, depth_image=colours)

    def decode(self, output: Any) -> GeneratedViews:
        """The six views in the two pictures."""
        colours, normals = (tiles(picture) for picture in output)
        return GeneratedViews(
            rig=load_rig(self.rig),
            rgb=colours.astype(np.float32) / 255,
            normals=2 * normals.astype(np.float32) / 255 - 1,
            frame="camera",
        )


def load_pipeline(weights: Weights, runtime: Runtime) -> Any:
    """The authors' pipeline with the scheduler of their examples, on its device."""
    from meshopt.generate.libraries import loading

    with loading(weights[MAIN.name]):
        from diffusers import DiffusionPipeline, EulerAncestralDiscreteScheduler

        pipeline = DiffusionPipeline.from_pretrained(
            weights[MAIN.name],
            custom_pipeline=str(weights["code"]),
            trust_remote_code=True,
            dtype=runtime.dtype,
            **weights.options,
        )
        pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(
            pipeline.scheduler.config, timestep_spacing="trailing"
        )
    return runtime.place(pipeline, attention=False)  # its attention is the authors' own


def draw(
    pipeline: Any, what: str, picture: Framed, request: Request, runtime: Runtime, **more: Pillow.Image
) -> Pillow.Image:
    """A picture of all views."""
    runtime.watch(pipeline, what)
    result = pipeline(
        Pillow.fromarray(as_bytes(picture)),
        prompt="",
        guidance_scale=request.guidance,
        num_inference_steps=request.steps,
        width=SHEET[1] * TILE,
        height=SHEET[0] * TILE,
        generator=runtime.generator(request.seed),
        **more,
    )
    return result.images[0]


def tiles(picture: Pillow.Image) -> UInt8[np.ndarray, "V S S 3"]:
    """The views of a picture of all, row by row."""
    pixels = np.asarray(picture.convert("RGB"))
    rows, columns = SHEET
    height, width = pixels.shape[0] // rows, pixels.shape[1] // columns
    if height != width or (rows * height, columns * width) != pixels.shape[:2]:
        raise InputError(
            f"the model gave a picture of {pixels.shape[1]} x {pixels.shape[0]} pixels, expected {columns} x {rows} "
            "square views: these weights are of another model."
        )
    cut = pixels.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(cut.reshape(rows * columns, height, width, 3))


ADAPTER = Zero123Plus()
