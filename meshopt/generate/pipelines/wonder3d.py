"""Wonder3D: six views of a picture and their normal maps, drawn together.

Reviewed line by line against xxlong0/Wonder3D at d894f82: mvdiffusion/pipelines/pipeline_mvdiffusion_image.py
(`__call__`, `_encode_image`, `prepare_camera_embedding`, `reshape_to_cd_input`) and, for how it is called,
test_mvdiffusion_seq.py (`log_validation_joint`) with configs/mvdiffusion-joint-ortho-6views.yaml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from jaxtyping import Float
from PIL import Image as Pillow
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from meshopt.generate.pipelines.joint import COUNT, VIEWS, Conditions, JointPipeline, load_unet
from meshopt.generate.pipelines.multiview import with_views

# of each view: how much higher than the picture's camera and how far around it stands, in radians, as the published
# pipeline states them (they are those of its fixed poses, not exactly of its rig)
PLACES = (
    (0.0, 0.0), (-0.2362, 0.8125), (-0.1686, 1.6934), (0.5220, 3.1406), (0.6904, 4.8359), (0.3733, 5.5859),
)  # fmt: skip
EXPECTED = {  # of the model's config
    "num_views": VIEWS,
    "cd_attention_mid": True,
    "cd_attention_last": False,
    "multiview_attention": True,
    "sparse_mv_attention": False,
    "mvcd_attention": False,
}


def camera_embedding() -> Float[Tensor, "12 10"]:
    """What tells the model which picture it draws: the views' places, and normals (first six) or colours."""
    rows = [(0.0, *place, *domain) for domain in ((1.0, 0.0), (0.0, 1.0)) for place in PLACES]
    table = torch.tensor(rows)
    return torch.cat([table.sin(), table.cos()], dim=-1)


class Wonder3DPipeline(JointPipeline):
    """Draws the normals and the colours of six views of a square picture."""

    model_cpu_offload_seq = "image_encoder->unet->vae"

    def __init__(
        self,
        vae: AutoencoderKL,
        image_encoder: CLIPVisionModelWithProjection,
        unet: UNet2DConditionModel,
        scheduler: DDIMScheduler,
        feature_extractor: CLIPImageProcessor,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae, image_encoder=image_encoder, unet=unet, scheduler=scheduler, feature_extractor=feature_extractor
        )

    @torch.no_grad()
    def __call__(
        self, image: Pillow.Image, *, steps: int, guidance: float, eta: float, generator: torch.Generator
    ) -> Float[Tensor, "12 3 H W"]:
        """Normals, then colours, in [0, 1]."""
        conditions = self._conditions(image)
        return self.draw(conditions, steps=steps, guidance=guidance, eta=eta, generator=generator)

    def _conditions(self, image: Pillow.Image) -> Conditions:
        """CLIP's embedding and the latents of the given picture, and which picture each is."""
        device, dtype = self._execution_device, self.unet.dtype
        pixels = self.feature_extractor(images=image, return_tensors="pt").pixel_values.to(device, dtype)
        embedding = self.image_encoder(pixels).image_embeds[:, None].expand(COUNT, -1, -1)
        cameras = camera_embedding().to(device, dtype)
        return Conditions(embedding, self.encode(image), cameras, free=("tokens", "picture"))


def build(config: dict[str, Any]) -> UNet2DConditionModel:
    """The denoising model of a config."""
    return with_views(UNet2DConditionModel.from_config(config), VIEWS)


def load_pipeline(folder: Path, dtype: torch.dtype, options: dict[str, Any]) -> Wonder3DPipeline:
    """The pipeline of a folder of the published weights."""
    return Wonder3DPipeline(
        vae=AutoencoderKL.from_pretrained(folder, subfolder="vae", dtype=dtype, **options),
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(
            folder, subfolder="image_encoder", dtype=dtype, **options
        ),
        unet=load_unet(folder / "unet", EXPECTED, build, dtype, options["use_safetensors"] is None),
        scheduler=DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True),
        feature_extractor=CLIPImageProcessor.from_pretrained(
            folder, subfolder="feature_extractor", local_files_only=True
        ),
    )
