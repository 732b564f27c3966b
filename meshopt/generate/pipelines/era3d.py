"""Era3D: six level views of a picture and their normal maps, drawn together, whatever camera the picture is from.

From Li et al., NeurIPS 2024. Reviewed against pengHTYX/Era3D at a2ce68d:
mvdiffusion/pipelines/pipeline_mvdiffusion_unclip.py (`__call__`, `_encode_prompt`, `_encode_image`,
`noise_image_embeddings`), mvdiffusion/models/unet_mv2d_condition.py (`ResidualLiner`, `forward`),
mvdiffusion/data/generate_fixed_text_embeds.py (the prompts) and, for how they are called, test_mvdiffusion_unclip.py
(`log_validation_joint`) with configs/test_unclip-512-6view.yaml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from diffusers.models.embeddings import TimestepEmbedding, get_timestep_embedding
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from PIL import Image as Pillow
from torch import Tensor, nn
from transformers import CLIPImageProcessor, CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from meshopt.errors import InputError
from meshopt.generate.pipelines.joint import COUNT, VIEWS, Conditions, JointPipeline, load_unet
from meshopt.generate.pipelines.multiview import DOMAINS, DOMAINS_AND_ROWS, with_views

NAMES = ("front", "front_right", "right", "back", "left", "front_left")
EXPECTED = {  # of the model's config
    "num_views": VIEWS,
    "cd_attention_mid": False,
    "cd_attention_last": False,
    "multiview_attention": True,
    "mvcd_attention": True,
    "selfattn_block": "self_rowwise",
    "addition_downsample": False,
    "use_dino": False,
}
NOISE_LEVEL = 0  # of the picture's embedding


def prompts() -> list[str]:
    """What the model is told to draw, picture by picture. The published embeddings (mvdiffusion/data/
    fixed_prompt_embeds_6view) part from each other at the tokens at which these texts do."""
    return [
        f"a rendering image of 3D models, {name} view, {kind} map." for kind in ("normal", "color") for name in NAMES
    ]


class Residual(nn.Module):
    """A layer that adds to what it is given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        """Values [B, C] to values."""
        return nn.functional.silu(values + self.linear2(nn.functional.silu(self.linear1(values))))


class Regressor(nn.Module):
    """One number of a picture's features."""

    def __init__(self, features: int, width: int, blocks: int) -> None:
        super().__init__()
        self.linear_in = nn.Sequential(nn.Linear(features, width), nn.SiLU())
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.linear_out = nn.Linear(width, 1)

    def forward(self, features: Float[Tensor, "B C"]) -> Float[Tensor, "B 1"]:
        """The number."""
        return self.linear_out(self.blocks(self.linear_in(features)))


class PosedUNet(UNet2DConditionModel):
    """A denoising model that estimates the picture's camera, from what its narrowest layer sees in all views, and tells
    it to the layers after that one."""

    elevation_regressor: Regressor  # radians
    focal_regressor: Regressor  # 24 / the focal length, 0 of an orthographic camera
    camera_embedding: TimestepEmbedding

    def estimating(self, blocks: int) -> PosedUNet:
        """This model with the layers that estimate; `blocks` of them for each number."""
        width = self.config.block_out_channels[-1]
        self.elevation_regressor, self.focal_regressor = (Regressor(DOMAINS * width, width, blocks) for _ in range(2))
        self.camera_embedding = TimestepEmbedding(4, self.time_embedding.linear_2.out_features)
        return self

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, class_labels: Tensor
    ) -> UNet2DConditionOutput:
        """The noise in latents [B, C, h, w], h and w multiples of all that the model narrows by."""
        when = self.time_embedding(self.get_time_embed(sample, timestep)) + self.get_class_embed(sample, class_labels)
        told = {"encoder_hidden_states": encoder_hidden_states}
        values = self.conv_in(sample)
        kept = [values]
        for block in self.down_blocks:
            values, more = block(values, when, **(told if _attends(block) else {}))
            kept.extend(more)
        values = self.mid_block(values, when, **told)
        when = when + self.camera_embedding(self.camera(values))
        for block in self.up_blocks:
            count = len(block.resnets)
            skipped, kept = tuple(kept[-count:]), kept[:-count]
            values = block(values, skipped, when, **(told if _attends(block) else {}))
        return UNet2DConditionOutput(sample=self.conv_out(self.conv_act(self.conv_norm_out(values))))

    def camera(self, values: Float[Tensor, "B C h w"]) -> Float[Tensor, "B 4"]:
        """The sines of elevation and focal length, then their cosines, of the picture that each belongs to."""
        features = torch.cat(values.mean(dim=(2, 3)).chunk(DOMAINS), dim=1)
        numbers = torch.cat([self.elevation_regressor(features), self.focal_regressor(features)], dim=1)
        means = numbers.unflatten(0, (-1, VIEWS)).mean(dim=1)
        of_views = means.repeat_interleave(VIEWS, dim=0).repeat(DOMAINS, 1)
        return torch.cat([of_views.sin(), of_views.cos()], dim=1)


def _attends(block: nn.Module) -> bool:
    return bool(getattr(block, "has_cross_attention", False))


class Era3DPipeline(JointPipeline):
    """Draws the normals and the colours of six views of a square picture."""

    model_cpu_offload_seq = "text_encoder->image_encoder->unet->vae"
    _exclude_from_cpu_offload = ("image_normalizer",)  # it is not called as modules are

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        image_encoder: CLIPVisionModelWithProjection,
        feature_extractor: CLIPImageProcessor,
        image_normalizer: StableUnCLIPImageNormalizer,
        image_noising_scheduler: DDPMScheduler,
        unet: UNet2DConditionModel,
        scheduler: DDIMScheduler,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, image_encoder=image_encoder,
            feature_extractor=feature_extractor, image_normalizer=image_normalizer,
            image_noising_scheduler=image_noising_scheduler, unet=unet, scheduler=scheduler,
        )  # fmt: skip

    @torch.no_grad()
    def __call__(
        self, image: Pillow.Image, *, steps: int, guidance: float, eta: float, generator: torch.Generator
    ) -> Float[Tensor, "12 3 H W"]:
        """Normals, then colours, in [0, 1]."""
        labels = self._embedding(image, generator)
        conditions = Conditions(self._words(), self.encode(image), labels, free=("picture", "labels"))
        return self.draw(conditions, steps=steps, guidance=guidance, eta=eta, generator=generator)

    def _words(self) -> Float[Tensor, "12 T C"]:
        """What the text encoder makes of the prompts."""
        length = self.tokenizer.model_max_length
        ids = self.tokenizer(
            prompts(), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids
        return self.text_encoder(ids.to(self._execution_device))[0].to(self.unet.dtype)

    def _embedding(self, image: Pillow.Image, generator: torch.Generator) -> Float[Tensor, "12 L"]:
        """CLIP's embedding of the picture, each with its own noise of level 0 (as published), and that level's."""
        device, dtype = self._execution_device, self.unet.dtype
        pixels = self.feature_extractor(images=image, return_tensors="pt").pixel_values.to(device, dtype)
        clean = self.image_encoder(pixels).image_embeds.expand(COUNT, -1)
        noise = randn_tensor(clean.shape, generator=generator, device=device, dtype=dtype)
        level = torch.full((COUNT,), NOISE_LEVEL, device=device)
        noisy = self.image_noising_scheduler.add_noise(self.image_normalizer.scale(clean), noise, level)
        of_level = get_timestep_embedding(level, clean.shape[1], flip_sin_to_cos=True, downscale_freq_shift=0)
        return torch.cat([self.image_normalizer.unscale(noisy), of_level.to(dtype)], dim=1)


def build(config: dict[str, Any]) -> UNet2DConditionModel:
    """The denoising model of a config; the weights named ortho estimate no camera."""
    if config.get("regress_elevation", False):
        unet = PosedUNet.from_config(config).estimating(config.get("num_regress_blocks", 4))
    else:
        unet = UNet2DConditionModel.from_config(config)
    return with_views(unet, VIEWS, DOMAINS_AND_ROWS)


def load_pipeline(folder: Path, dtype: torch.dtype, options: dict[str, Any]) -> Era3DPipeline:
    """The pipeline of a folder of the published weights."""

    def model(kind: Any, name: str) -> Any:
        return kind.from_pretrained(folder, subfolder=name, dtype=dtype, **options)

    def files(kind: Any, name: str) -> Any:
        return kind.from_pretrained(folder, subfolder=name, local_files_only=True)

    unet = load_unet(folder / "unet", EXPECTED, build, dtype, options["use_safetensors"] is None)
    text_encoder, tokenizer = model(CLIPTextModel, "text_encoder"), files(CLIPTokenizer, "tokenizer")
    known, words = len(tokenizer), text_encoder.config.vocab_size
    if known != words:  # without its files, transformers makes an empty one
        raise InputError(
            f"{folder / 'tokenizer'} knows {known} words, expected the text encoder's {words}: files are missing."
        )
    return Era3DPipeline(
        vae=model(AutoencoderKL, "vae"),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        image_encoder=model(CLIPVisionModelWithProjection, "image_encoder"),
        feature_extractor=files(CLIPImageProcessor, "feature_extractor"),
        image_normalizer=model(StableUnCLIPImageNormalizer, "image_normalizer"),
        image_noising_scheduler=files(DDPMScheduler, "image_noising_scheduler"),
        unet=unet,
        scheduler=files(DDIMScheduler, "scheduler"),
    )
