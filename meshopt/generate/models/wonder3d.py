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

from meshopt.generate.adapters import Card, Part
from meshopt.generate.joint_model import JointModel
from meshopt.generate.preparation import Framing

MAIN = Part(
    "pipeline",
    "flamehaze1115/wonder3d-v1.0",
    "AGPL-3.0",
    "https://huggingface.co/flamehaze1115/wonder3d-v1.0, model card",
    pickled=True,
)

ADAPTER = JointModel(
    card=Card(
        name="wonder3d",
        title="Wonder3D v1.0",
        parts=(MAIN,),
        kinds=("MVDiffusionImagePipeline",),
        steps=50,
        guidance=1.0,
        usage="https://github.com/xxlong0/Wonder3D/blob/main/test_mvdiffusion_seq.py",
    ),
    framing=Framing(256, 192 / 256, 1.0),
    rig="wonder3d",
    pipeline="wonder3d",
)
