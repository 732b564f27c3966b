"""Normals and colours of six views, drawn together: what Wonder3D's and Era3D's pipelines share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from PIL import Image as Pillow
from torch import Tensor

from meshopt.errors import InputError
from meshopt.generate.pipelines.tensors import fill, read_tensors

VIEWS = 6
COUNT = 2 * VIEWS  # pictures: normals, then colours
DEFAULTS = {"num_views": 1, "multiview_attention": True, "selfattn_block": "custom"}  # of the published classes
Build = Callable[[dict[str, Any]], UNet2DConditionModel]


@dataclass(frozen=True)
class Conditions:
    """What is said of all twelve pictures: tokens to attend to, latents of the given picture, and class labels.

    `free`: the names of those that are zeros where nothing guides.
    """

    tokens: Float[Tensor, "B T C"]
    picture: Float[Tensor, "B 4 h w"]
    labels: Float[Tensor, "B L"]
    free: tuple[str, ...]

    def doubled(self) -> Conditions:
        """Without guidance and with it, in the order of `doubled`."""
        tokens, picture, labels = (doubled(getattr(self, n), n in self.free) for n in ("tokens", "picture", "labels"))
        return Conditions(tokens, picture, labels, self.free)


class JointPipeline(DiffusionPipeline):
    """A pipeline with `vae`, `unet` and `scheduler` that draws twelve pictures at once."""

    def encode(self, image: Pillow.Image) -> Float[Tensor, "12 4 h w"]:
        """The given picture's latents, for every picture."""
        given = self.picture_processor.preprocess(image).to(self._execution_device, self.unet.dtype)
        latents = self.vae.encode(given).latent_dist.mode() * self.vae.config.scaling_factor
        return latents.expand(COUNT, -1, -1, -1)

    def draw(
        self, conditions: Conditions, *, steps: int, guidance: float, eta: float, generator: torch.Generator
    ) -> Float[Tensor, "12 3 H W"]:
        """Normals, then colours, in [0, 1]. As published, guidance of 1 is none."""
        device, dtype = self._execution_device, self.unet.dtype
        guided = guidance != 1.0
        shape = (COUNT, self.unet.config.out_channels, *conditions.picture.shape[2:])
        given = conditions.doubled() if guided else conditions
        latents = randn_tensor(shape, generator=generator, device=device, dtype=dtype) * self.scheduler.init_noise_sigma
        self.scheduler.set_timesteps(steps, device=device)
        with self.progress_bar(total=steps) as bar:
            for t in self.scheduler.timesteps:
                seen = doubled(latents, empty=False) if guided else latents
                seen = self.scheduler.scale_model_input(torch.cat([seen, given.picture], dim=1), t)
                noise = self.unet(seen, t, encoder_hidden_states=given.tokens, class_labels=given.labels).sample
                if guided:
                    without, with_it = separated(noise)
                    noise = without + guidance * (with_it - without)
                latents = self.scheduler.step(noise, t, latents, eta=eta, generator=generator).prev_sample
                bar.update()
        decoded = self.vae.decode(latents / self.vae.config.scaling_factor, return_dict=False)[0]
        self.maybe_free_model_hooks()
        return self.picture_processor.postprocess(decoded, output_type="pt").float().cpu()

    @property
    def picture_processor(self) -> VaeImageProcessor:
        """Pictures to what the VAE reads, and back."""
        return VaeImageProcessor(vae_scale_factor=2 ** (len(self.vae.config.block_out_channels) - 1))


def doubled(values: Tensor, empty: bool) -> Tensor:
    """Unguided and guided of each domain: the normals' first, then the colours', as attention over domains expects.

    `empty`: the unguided ones are zeros.
    """
    without = torch.zeros_like(values) if empty else values
    (normals, colours), (a, b) = values.chunk(2), without.chunk(2)
    return torch.cat([a, normals, b, colours])


def separated(noise: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `doubled`: unguided, guided."""
    a, normals, b, colours = noise.chunk(4)
    return torch.cat([a, b]), torch.cat([normals, colours])


def load_unet(
    folder: Path, expected: Mapping[str, Any], build: Build, dtype: torch.dtype, pickles: bool
) -> UNet2DConditionModel:
    """The denoising model that `build` makes of the folder's config, with the folder's weights.

    The config's names of blocks become those of the plain ones that they extend. Raises InputError for weights of
    another variant: where the config does not say what is `expected`, or the weights are not those of the config.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8").replace("BlockMV2D", "Block2D"))
    for key, value in expected.items():
        found = config.get(key, DEFAULTS.get(key, False))
        if found != value:
            raise InputError(f"{path} says {key}: {found}, expected {value}: another model's weights.")
    with torch.device("meta"):
        unet = build({k: v for k, v in config.items() if not k.startswith("_")})
    fill(unet, read_tensors(folder, pickles), folder)
    return unet.to(dtype).eval().requires_grad_(False)
