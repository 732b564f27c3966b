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

from meshopt.generate.adapters import Card, Part
from meshopt.generate.joint_model import JointModel
from meshopt.generate.preparation import Framing

MAIN = Part(
    "pipeline",
    "pengHTYX/MacLab-Era3D-512-6view",
    "Apache-2.0 by its model card, AGPL-3.0 by its code's README",
    "https://huggingface.co/pengHTYX/MacLab-Era3D-512-6view, https://github.com/pengHTYX/Era3D#license",
)

ADAPTER = JointModel(
    card=Card(
        name="era3d",
        title="Era3D",
        parts=(MAIN,),
        kinds=("StableUnCLIPImg2ImgPipeline",),
        steps=40,
        guidance=3.0,
        usage="https://github.com/pengHTYX/Era3D/blob/main/test_mvdiffusion_unclip.py",
    ),
    framing=Framing(512, 420 / 512, 1.0),
    rig="era3d",
    pipeline="era3d",
)
