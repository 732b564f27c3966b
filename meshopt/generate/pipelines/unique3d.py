"""Unique3D: four views of a picture, and the normal map of each view.

Reviewed line by line against AiuniAI/Unique3D at a4f4ad2: custum_3d_diffusion/custum_pipeline/
unifield_pipeline_img2mvimg.py and unifield_pipeline_img2img.py (`__call__`), custum_modules/unifield_processor.py
(`set_config`, `unet_forward_hook`), trainings/image2mvimage_trainer.py and image2image_trainer.py
(`construct_pipeline`, `get_forward_args`), and app/custom_models/utils.py (`load_pipeline`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DiffusionPipeline, EulerAncestralDiscreteScheduler, ModelMixin
from diffusers import UNet2DConditionModel as UNet
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from PIL import Image as Pillow
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from meshopt.errors import InputError
from meshopt.generate.folders import file_of
from meshopt.generate.pipelines.multiview import VIEWS_ALONE, with_views
from meshopt.generate.pipelines.reference import ReferencedUNet
from meshopt.generate.pipelines.tensors import tensors_in

VIEWS = 4
STATE = "unet_state_dict.pth"  # what the published code loads over the model in unet/
CROSS = ".attn1.processor.crosspond_attention."  # the reference's attention, as the published code names it
EXPECTED_OF_VIEWS = {"in_channels": 8, "num_class_embeds": 8}  # of the models' configs
EXPECTED_OF_NORMALS = {"in_channels": 4, "num_class_embeds": None}


class ViewsUNet(ModelMixin):
    """A model that draws four views of each given picture; its labels say which is which."""

    views = VIEWS

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = with_views(unet, VIEWS, VIEWS_ALONE)

    def forward(self, sample: Tensor, time: Tensor, embedding: Tensor, given: Tensor) -> Tensor:
        """The noise in latents [B, 4, h, w] at a time, by embeddings [B, T, C] and latents of the given pictures."""
        labels = torch.arange(VIEWS, device=sample.device).repeat(len(sample) // VIEWS)
        seen = torch.cat([sample, given], dim=1)
        return self.unet(seen, time, embedding, class_labels=labels).sample

    def set_attention_slice(self, size: str | int | None) -> None:
        """As a UNet2DConditionModel has it."""
        self.unet.set_attention_slice(size)


class Unique3DPipeline(DiffusionPipeline):
    """Draws pictures of square pictures: views of one, or the normals of each."""

    model_cpu_offload_seq = "image_encoder->unet->vae"

    def __init__(
        self,
        vae: AutoencoderKL,
        image_encoder: CLIPVisionModelWithProjection,
        unet: ViewsUNet | ReferencedUNet,
        scheduler: EulerAncestralDiscreteScheduler,
        feature_extractor: CLIPImageProcessor,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae, image_encoder=image_encoder, unet=unet, scheduler=scheduler, feature_extractor=feature_extractor
        )
        self.image_processor = VaeImageProcessor(vae_scale_factor=2 ** (len(vae.config.block_out_channels) - 1))

    @torch.no_grad()
    def __call__(
        self, images: Sequence[Pillow.Image], *, size: int, steps: int, guidance: float, generator: torch.Generator
    ) -> Float[Tensor, "V 3 size size"]:
        """Pictures in [0, 1], those of the first given one first."""
        device, dtype = self._execution_device, self.unet.dtype
        guided = guidance > 1.0  # as published: up to 1 is no guidance
        embedding, given = self._conditions(images, size, device, dtype)
        if guided:
            embedding, given = (torch.cat([torch.zeros_like(x), x]) for x in (embedding, given))
        self.scheduler.set_timesteps(steps, device=device)
        shape = (len(images) * self.unet.views, *given.shape[1:])
        latents = randn_tensor(shape, generator=generator, device=device, dtype=dtype) * self.scheduler.init_noise_sigma
        with self.progress_bar(total=steps) as bar:
            for t in self.scheduler.timesteps:
                seen = torch.cat([latents, latents]) if guided else latents
                noise = self.unet(self.scheduler.scale_model_input(seen, t), t, embedding, given)
                if guided:
                    without, by_picture = noise.chunk(2)
                    noise = without + guidance * (by_picture - without)
                latents = self.scheduler.step(noise, t, latents, generator=generator).prev_sample
                bar.update()
        decoded = self.vae.decode(latents / self.vae.config.scaling_factor, return_dict=False)[0]
        self.maybe_free_model_hooks()
        return self.image_processor.postprocess(decoded, output_type="pt").float().cpu()

    def _conditions(
        self, images: Sequence[Pillow.Image], size: int, device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """CLIP's embedding and the latents of the given picture, for each picture that is drawn."""
        pixels = self.feature_extractor(images=list(images), return_tensors="pt").pixel_values.to(device, dtype)
        embedding = self.image_encoder(pixels).image_embeds[:, None]
        given = self.image_processor.preprocess(list(images), height=size, width=size).to(device, dtype)
        latents = self.vae.encode(given).latent_dist.mode() * self.vae.config.scaling_factor
        return embedding.repeat_interleave(self.unet.views, 0), latents.repeat_interleave(self.unet.views, 0)


def load_views(folder: Path, dtype: torch.dtype, options: dict[str, Any]) -> Unique3DPipeline:
    """The pipeline of a folder of img2mvimg's weights. Raises InputError for those of another model."""
    with torch.device("meta"):
        unet = ViewsUNet(_unet(folder, EXPECTED_OF_VIEWS))
    return _pipeline(folder, unet, dtype, options)


def load_normals(folder: Path, dtype: torch.dtype, options: dict[str, Any]) -> Unique3DPipeline:
    """The pipeline of a folder of image2normal's weights. Raises InputError for those of another model."""
    with torch.device("meta"):
        unet = ReferencedUNet(_unet(folder, EXPECTED_OF_NORMALS), _unet(folder, EXPECTED_OF_NORMALS))
    return _pipeline(folder, unet, dtype, options)


def _unet(folder: Path, expected: dict[str, Any]) -> UNet:
    path = folder / "unet" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    unet = UNet.from_config({key: value for key, value in config.items() if not key.startswith("_")})
    for key, value in expected.items():
        if unet.config[key] != value:
            raise InputError(f"{path} says {key}: {unet.config[key]}, expected {value}: another model's weights.")
    return unet


def _pipeline(
    folder: Path, unet: ViewsUNet | ReferencedUNet, dtype: torch.dtype, options: dict[str, Any]
) -> Unique3DPipeline:
    _fill(unet, folder, dtype)
    return Unique3DPipeline(
        vae=AutoencoderKL.from_pretrained(folder, subfolder="vae", dtype=dtype, **options),
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(
            folder, subfolder="image_encoder", dtype=dtype, **options
        ),
        unet=unet.eval().requires_grad_(False),
        scheduler=EulerAncestralDiscreteScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True),
        feature_extractor=CLIPImageProcessor.from_pretrained(
            folder, subfolder="feature_extractor", local_files_only=True
        ),
    )


def _fill(unet: ViewsUNet | ReferencedUNet, folder: Path, dtype: torch.dtype) -> None:
    """Gives a model its weights: those of STATE and, where that lacks some, of unet/; what is left over is ignored, as
    the published code does."""
    wanted = unet.state_dict().keys()
    tensors: dict[str, Tensor] = {}
    for file in (file_of(folder, STATE), file_of(folder / "unet", "diffusion_pytorch_model.bin")):
        if file is not None and not wanted <= tensors.keys():
            tensors = _tensors(file, unet) | tensors
    missing = sorted(wanted - tensors.keys())
    if missing:
        raise InputError(
            f"{folder}: its weights are not those of its config ({len(missing)} are missing, such as {missing[0]})."
        )
    unet.load_state_dict({key: tensors[key].to(dtype) for key in wanted}, assign=True)


def _tensors(file: Path, unet: ViewsUNet | ReferencedUNet) -> dict[str, Tensor]:
    """The tensors in a file, by their names in `unet`."""
    return {_renamed(key, isinstance(unet, ReferencedUNet)): value for key, value in tensors_in(file).items()}


def _renamed(key: str, referenced: bool) -> str:
    """A tensor's name in the models here, from that in the published weights."""
    key = key if key.startswith("ref_unet.") else f"unet.{key}"
    if CROSS in key:
        return key.replace(CROSS, ".attn1.").replace("to_out.0", "to_out")
    return key.replace(".attn1.", ".attn1.attention.") if referenced else key
