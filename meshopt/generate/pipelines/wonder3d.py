"""Wonder3D: six views of a picture and their normal maps, drawn together.

Reviewed line by line against xxlong0/Wonder3D at d894f82: mvdiffusion/pipelines/pipeline_mvdiffusion_image.py
(`__call__`, `_encode_image`, `prepare_camera_embedding`, `reshape_to_cd_input`) and, for how it is called,
test_mvdiffusion_seq.py (`log_validation_joint`) with configs/mvdiffusion-joint-ortho-6views.yaml.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from PIL import Image as Pillow
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from meshopt.errors import InputError
from meshopt.generate.pipelines.multiview import with_views

VIEWS = 6
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


def load_unet(folder: Path, dtype: torch.dtype, pickles: bool) -> UNet2DConditionModel:
    """The denoising model. Raises InputError for weights of another variant."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for key, value in EXPECTED.items():
        found = config.get(key, 1 if key == "num_views" else key == "multiview_attention")
        if found != value:
            raise InputError(
                f"{folder / 'config.json'} says {key}: {found}, expected {value}: another model's weights."
            )
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config({k: v for k, v in config.items() if not k.startswith("_")})
        unet = with_views(unet, VIEWS)
    result = unet.load_state_dict(_tensors(folder, pickles), strict=False, assign=True)
    if result.missing_keys or result.unexpected_keys:
        some = ", ".join([*result.missing_keys, *result.unexpected_keys][:2])
        raise InputError(
            f"{folder}: its weights are not those of its config ({len(result.missing_keys)} are missing and "
            f"{len(result.unexpected_keys)} left over, such as {some})."
        )
    return unet.to(dtype).eval().requires_grad_(False)


def _tensors(folder: Path, pickles: bool) -> dict[str, Tensor]:
    safe = folder / "diffusion_pytorch_model.safetensors"
    if safe.is_file() or not pickles:
        from safetensors.torch import load_file

        return load_file(safe)
    return torch.load(folder / "diffusion_pytorch_model.bin", map_location="cpu", weights_only=True)


class Wonder3DPipeline(DiffusionPipeline):
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
        self.image_processor = VaeImageProcessor(vae_scale_factor=2 ** (len(vae.config.block_out_channels) - 1))

    @torch.no_grad()
    def __call__(
        self, image: Pillow.Image, *, steps: int, guidance: float, eta: float, generator: torch.Generator
    ) -> Float[Tensor, "12 3 H W"]:
        """Normals, then colours, in [0, 1]."""
        count = 2 * VIEWS
        device, dtype = self._execution_device, self.unet.dtype
        conditions = self._conditions(image, device, dtype)
        guided = guidance != 1.0  # as published: 1 is no guidance
        if guided:
            conditions = [
                _with_empty(values, empty) for values, empty in zip(conditions, (True, True, False), strict=True)
            ]
        embedding, picture, cameras = conditions
        shape = (count, self.unet.config.out_channels, *picture.shape[2:])
        latents = randn_tensor(shape, generator=generator, device=device, dtype=dtype) * self.scheduler.init_noise_sigma
        self.scheduler.set_timesteps(steps, device=device)
        with self.progress_bar(total=steps) as bar:
            for t in self.scheduler.timesteps:
                seen = _doubled(latents) if guided else latents
                seen = self.scheduler.scale_model_input(torch.cat([seen, picture], dim=1), t)
                noise = self.unet(seen, t, encoder_hidden_states=embedding, class_labels=cameras).sample
                if guided:
                    without, given = _separated(noise)
                    noise = without + guidance * (given - without)
                latents = self.scheduler.step(noise, t, latents, eta=eta, generator=generator).prev_sample
                bar.update()
        decoded = self.vae.decode(latents / self.vae.config.scaling_factor, return_dict=False)[0]
        self.maybe_free_model_hooks()
        return self.image_processor.postprocess(decoded, output_type="pt").float().cpu()

    def _conditions(self, image: Pillow.Image, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
        """Of all twelve pictures: CLIP's embedding and the latents of the given one, and which it is."""
        pixels = self.feature_extractor(images=image, return_tensors="pt").pixel_values.to(device, dtype)
        embedding = self.image_encoder(pixels).image_embeds[:, None]
        given = self.image_processor.preprocess(image).to(device, dtype)
        latents = self.vae.encode(given).latent_dist.mode() * self.vae.config.scaling_factor
        count = 2 * VIEWS
        cameras = camera_embedding().to(device, dtype)
        return [embedding.expand(count, -1, -1), latents.expand(count, -1, -1, -1), cameras]


def _with_empty(values: Tensor, empty: bool) -> Tensor:
    """Unguided and guided of each domain: the normals' first, then the colours', as attention over domains expects."""
    without = torch.zeros_like(values) if empty else values
    (normals, colours), (a, b) = values.chunk(2), without.chunk(2)
    return torch.cat([a, normals, b, colours])


def _doubled(latents: Tensor) -> Tensor:
    return _with_empty(latents, empty=False)


def _separated(noise: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `_with_empty`: unguided, guided."""
    a, normals, b, colours = noise.chunk(4)
    return torch.cat([a, b]), torch.cat([normals, colours])


def load_pipeline(folder: Path, dtype: torch.dtype, options: dict[str, Any]) -> Wonder3DPipeline:
    """The pipeline of a folder of the published weights."""
    return Wonder3DPipeline(
        vae=AutoencoderKL.from_pretrained(folder, subfolder="vae", dtype=dtype, **options),
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(
            folder, subfolder="image_encoder", dtype=dtype, **options
        ),
        unet=load_unet(folder / "unet", dtype, options["use_safetensors"] is None),
        scheduler=DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True),
        feature_extractor=CLIPImageProcessor.from_pretrained(
            folder, subfolder="feature_extractor", local_files_only=True
        ),
    )
