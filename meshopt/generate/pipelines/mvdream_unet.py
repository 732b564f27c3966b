"""The denoising model of MVDream and ImageDream, out of diffusers' own parts: attention over all views, and cameras.

MVDream (Shi et al., 2023), section 3; ImageDream (Wang and Shi, 2023), section 3. The weights are stored under the
names of latent diffusion's code; with these changed, all but the attention is a UNet2DConditionModel. Reviewed line by
line against ashawkey/mvdream_diffusers at 8b318ef, mv_unet.py (MultiViewUNetModel, BasicTransformerBlock3D,
MemoryEfficientCrossAttention, Resampler).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.embeddings import IPAdapterPlusImageProjection
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from meshopt.errors import InputError
from meshopt.generate.pipelines.multiview import with_blocks
from meshopt.generate.pipelines.tensors import fill, read_tensors

LDM = "model.diffusion_model."  # what diffusers' conversion expects before every name
RESAMPLER = "image_embed."
HEAD = 64  # channels of the resampler's heads
LAYER = {  # the published names in a layer of the resampler, and diffusers'
    "0.norm1": "ln0",
    "0.norm2": "ln1",
    "0.to_q": "attn.to_q",
    "0.to_out": "attn.to_out.0",
    "1.0": "ff.0",
    "1.1": "ff.1.net.0.proj",
    "1.3": "ff.1.net.2",
}


class FramesBlock(nn.Module):
    """A transformer's block in which every frame of an entry sees all of its frames.

    The batch holds entry after entry, `frames` in a row each. The last `tokens` of what the frames are conditioned on
    are of a picture: they have keys and values of their own, and what they give is added to what the text gives.
    """

    def __init__(self, block: BasicTransformerBlock, frames: int, tokens: int) -> None:
        super().__init__()
        self.frames, self.tokens = frames, tokens
        self.norm1, self.attn1, self.norm2, self.attn2 = block.norm1, block.attn1, block.norm2, block.attn2
        self.norm3, self.ff = block.norm3, block.ff
        for name in ("to_k_ip", "to_v_ip") if tokens else ():
            width, inner = self.attn2.cross_attention_dim, self.attn2.inner_dim
            self.attn2.add_module(name, nn.Linear(width, inner, bias=False))

    def forward(self, hidden_states: Tensor, *, encoder_hidden_states: Tensor, **others: Any) -> Tensor:
        """Pixels [B, T, C] to pixels, conditioned on [B, S, D]."""
        batch, length, width = hidden_states.shape
        entries = self.norm1(hidden_states).reshape(batch // self.frames, self.frames * length, width)
        hidden_states = self.attn1(entries).reshape(batch, length, width) + hidden_states
        hidden_states = self._conditioned(self.norm2(hidden_states), encoder_hidden_states) + hidden_states
        return self.ff(self.norm3(hidden_states)) + hidden_states

    def _conditioned(self, pixels: Tensor, given: Tensor) -> Tensor:
        layer = self.attn2
        if not self.tokens:
            return layer(pixels, encoder_hidden_states=given)
        text, picture = given[:, : -self.tokens], given[:, -self.tokens :]
        queries, *others = (
            values.unflatten(-1, (layer.heads, -1)).transpose(1, 2)
            for values in (
                layer.to_q(pixels),
                layer.to_k(text),
                layer.to_v(text),
                layer.to_k_ip(picture),
                layer.to_v_ip(picture),
            )
        )
        found = scaled_dot_product_attention(queries, *others[:2]) + scaled_dot_product_attention(queries, *others[2:])
        return layer.to_out[0](found.transpose(1, 2).flatten(2))


class Resampler(IPAdapterPlusImageProjection, ModelMixin):
    """A picture's features [B, P, D] to few tokens; a model, as components of pipelines have to be."""


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The published model's config in the words of UNet2DConditionModel."""
    widths = [config["model_channels"] * factor for factor in config["channel_mult"]]
    sees = [2**level in config["attention_resolutions"] for level in range(len(widths))]
    return {
        "in_channels": config["in_channels"],
        "out_channels": config["out_channels"],
        "block_out_channels": widths,
        "layers_per_block": config["num_res_blocks"],
        "down_block_types": ["CrossAttnDownBlock2D" if see else "DownBlock2D" for see in sees],
        "up_block_types": ["CrossAttnUpBlock2D" if see else "UpBlock2D" for see in reversed(sees)],
        "attention_head_dim": [width // config["num_head_channels"] for width in widths],  # the number of heads
        "transformer_layers_per_block": config.get("transformer_depth", 1),
        "cross_attention_dim": config["context_dim"],
        "use_linear_projection": True,
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": config["camera_dim"],
    }


def load_unet(
    folder: Path, dtype: torch.dtype, pickles: bool, frames: int, pictures: bool
) -> tuple[UNet2DConditionModel, Resampler | None]:
    """The denoising model, and what turns a picture's features into tokens where the model takes `pictures`.

    Raises InputError for weights of another model.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokens = config.get("ip_dim", 0)
    if pictures != (tokens > 0) or config.get("ip_weight", 1) != 1:
        kind = "ImageDream's, which draw what is in a picture" if tokens else "MVDream's, which draw what a text says"
        raise InputError(f"{folder / 'config.json'} says ip_dim: {tokens}: these weights are {kind}.")
    wanted = settings(config)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(wanted)
        with_blocks(unet, lambda block: FramesBlock(block, frames, tokens))
    tensors = read_tensors(folder, pickles)
    of_pictures = {key: tensors.pop(key) for key in list(tensors) if key.startswith(RESAMPLER)}
    named = {LDM + key.replace("camera_embed.", "label_emb.0."): value for key, value in tensors.items()}
    fill(unet, convert_ldm_unet_checkpoint(named, wanted), folder)
    resampler = _resampler(of_pictures, folder).to(dtype).eval().requires_grad_(False) if pictures else None
    return unet.to(dtype).eval().requires_grad_(False), resampler


def _resampler(tensors: Mapping[str, Tensor], folder: Path) -> Resampler:
    """Of the sizes of its tensors."""
    found: dict[str, Tensor] = {}
    for key, value in tensors.items():
        name = key.removeprefix(RESAMPLER)
        head, _, end = name.rpartition(".")
        layer = re.match(r"layers\.\d+\.", name)
        inner = head[layer.end() :] if layer else ""
        if layer and inner == "0.to_kv":
            found[f"{layer[0]}attn.to_k.{end}"], found[f"{layer[0]}attn.to_v.{end}"] = value.chunk(2)
        else:
            found[f"{layer[0]}{LAYER[inner]}.{end}" if layer else name] = value
    hidden = found["latents"].shape[2]
    with torch.device("meta"):
        model = Resampler(
            embed_dims=found["proj_in.weight"].shape[1],
            output_dims=found["proj_out.weight"].shape[0],
            hidden_dims=hidden,
            depth=sum(key.endswith(".attn.to_q.weight") for key in found),
            dim_head=HEAD,
            heads=found["layers.0.attn.to_q.weight"].shape[0] // HEAD,
            num_queries=found["latents"].shape[1],
            ffn_ratio=found["layers.0.ff.1.net.0.proj.weight"].shape[0] / hidden,
        )
    fill(model, found, folder)
    return model
