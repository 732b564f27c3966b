"""MVDream and ImageDream: four views around an object, of a text, or of a picture and maybe a text.

Reviewed line by line against ashawkey/mvdream_diffusers at 8b318ef: pipeline_mvdream.py (`__call__`, `_encode_prompt`,
`encode_image`, `encode_image_latents`), mv_unet.py (`get_camera`, and where `MultiViewUNetModel.forward` puts the
picture's latents) and, for how they are called, run_mvdream.py and run_imagedream.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from PIL import Image as Pillow
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPTextModel, CLIPTokenizer, CLIPVisionModel

from meshopt.generate.pipelines.mvdream_unet import Resampler, load_unet

VIEWS, SIZE = 4, 256


def camera_matrices(count: int = VIEWS) -> Float[Tensor, "V 16"]:
    """Camera to world of `count` cameras on the unit circle at the horizon, row by row: what tells the views apart.

    The camera's frame is OpenGL's. The world is Blender's, +Z up; view k stands at (sin a, -cos a, 0), a = 360 k /
    `count` degrees. Models see an object's front from +X: from view 1 of 4.
    """
    turns = 2 * torch.pi * torch.arange(count) / count
    zero, one = torch.zeros(count), torch.ones(count)
    sine, cosine = turns.sin(), turns.cos()
    right, up = torch.stack([cosine, sine, zero], 1), torch.stack([zero, zero, one], 1)
    back = torch.stack([sine, -cosine, zero], 1)
    last = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(count, 1, 4)
    return torch.cat([torch.stack([right, up, back, back], 2), last], 1).flatten(1)


class MVDreamPipeline(DiffusionPipeline):
    """Draws four views. With an image encoder, of a square picture, which is a fifth frame that is not drawn."""

    model_cpu_offload_seq = "text_encoder->image_encoder->resampler->unet->vae"
    _optional_components = ("feature_extractor", "image_encoder", "resampler")

    def __init__(
        self,
        vae: AutoencoderKL,
        unet: UNet2DConditionModel,
        tokenizer: CLIPTokenizer,
        text_encoder: CLIPTextModel,
        scheduler: DDIMScheduler,
        feature_extractor: CLIPImageProcessor | None = None,
        image_encoder: CLIPVisionModel | None = None,
        resampler: Resampler | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae, unet=unet, tokenizer=tokenizer, text_encoder=text_encoder, scheduler=scheduler,
            feature_extractor=feature_extractor, image_encoder=image_encoder, resampler=resampler,
        )  # fmt: skip
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.image_processor = VaeImageProcessor(vae_scale_factor=self.factor)

    @torch.no_grad()
    def __call__(
        self, prompt: str, image: Pillow.Image | None, *, steps: int, guidance: float, generator: torch.Generator
    ) -> Float[Tensor, "4 3 H W"]:
        """The views in [0, 1], of the size of `image`, which is there where there is an image encoder."""
        device, dtype = self._execution_device, self.unet.dtype
        guided = guidance != 1.0
        seen, cameras = self._encode_text(["", prompt] if guided else [prompt], device), camera_matrices()
        size: tuple[int, ...] = (SIZE // self.factor, SIZE // self.factor)
        if image is not None:
            tokens, picture = self._encode_picture(image, guided, generator, device, dtype)
            seen, cameras = torch.cat([seen, tokens], dim=1), torch.cat([cameras, cameras.new_zeros(1, 16)])
            size = picture.shape[2:]
        entries, frames = len(seen), len(cameras)
        seen = seen.repeat_interleave(frames, dim=0)
        cameras = cameras.to(device, dtype).repeat(entries, 1)
        shape = (frames, self.unet.config.in_channels, *size)
        latents = randn_tensor(shape, generator=generator, device=device, dtype=dtype) * self.scheduler.init_noise_sigma
        self.scheduler.set_timesteps(steps, device=device)
        with self.progress_bar(total=steps) as bar:
            for t in self.scheduler.timesteps:
                noisy = self.scheduler.scale_model_input(latents.repeat(entries, 1, 1, 1), t)
                if image is not None:
                    noisy[VIEWS::frames] = picture
                noise = self.unet(noisy, t, encoder_hidden_states=seen, class_labels=cameras).sample
                if guided:
                    without, given = noise.chunk(2)
                    noise = without + guidance * (given - without)
                latents = self.scheduler.step(noise, t, latents, generator=generator).prev_sample
                bar.update()
        decoded = self.vae.decode(latents[:VIEWS] / self.vae.config.scaling_factor, return_dict=False)[0]
        self.maybe_free_model_hooks()
        return self.image_processor.postprocess(decoded, output_type="pt").float().cpu()

    def _encode_text(self, texts: list[str], device: torch.device) -> Float[Tensor, "B T D"]:
        length = self.tokenizer.model_max_length
        words = self.tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        return self.text_encoder(words.input_ids.to(device))[0]

    def _encode_picture(
        self, image: Pillow.Image, guided: bool, generator: torch.Generator, device: torch.device, dtype: torch.dtype
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B C h w"]]:
        """Tokens and latents of the picture; with guidance those of none, zeros before the resampler, come first."""
        pixels = self.feature_extractor(images=image, return_tensors="pt").pixel_values.to(device, dtype)
        features = self.image_encoder(pixels, output_hidden_states=True).hidden_states[-2]
        given = self.image_processor.preprocess(image).to(device, dtype)
        latents = self.vae.encode(given).latent_dist.sample(generator) * self.vae.config.scaling_factor
        if guided:
            features, latents = (torch.cat([torch.zeros_like(x), x]) for x in (features, latents))
        return self.resampler(features), latents


def load_pipeline(folder: Path, dtype: torch.dtype, options: dict[str, Any], pictures: bool) -> MVDreamPipeline:
    """The pipeline of a folder of the published weights; `pictures`: ImageDream's, else MVDream's."""
    frames = VIEWS + 1 if pictures else VIEWS
    unet, resampler = load_unet(folder / "unet", dtype, options["use_safetensors"] is None, frames, pictures)
    parts: dict[str, Any] = {}
    if pictures:
        parts["image_encoder"] = CLIPVisionModel.from_pretrained(
            folder, subfolder="image_encoder", dtype=dtype, **options
        )
        parts["feature_extractor"] = CLIPImageProcessor.from_pretrained(
            folder, subfolder="feature_extractor", local_files_only=True
        )
    return MVDreamPipeline(
        vae=AutoencoderKL.from_pretrained(folder, subfolder="vae", dtype=dtype, **options),
        unet=unet,
        tokenizer=CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True),
        text_encoder=CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", dtype=dtype, **options),
        scheduler=DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True),
        resampler=resampler,
        **parts,
    )
