"""A slow twin of MVDream's and ImageDream's denoising model, from the papers and the names of the published tensors.

A function of tensors by name: those that are not there yet are drawn at random, so that one call makes the weights of
a config. Attention is one query at a time in words: softmax(q . k / sqrt(d)) v over whatever it may see.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CONFIG: dict[str, Any] = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 32, "num_res_blocks": 1,
    "channel_mult": [1, 2], "attention_resolutions": [2], "num_head_channels": 16, "transformer_depth": 1,
    "context_dim": 32, "camera_dim": 16,
}  # fmt: skip
TOKENS, HEAD, LAYERS = 3, 64, 2  # of a picture; of the resampler


class Twin:
    """The model; `features`: the width of the picture's, 0 for MVDream."""

    def __init__(self, features: int, seed: int = 0) -> None:
        self.config = CONFIG | ({"ip_dim": TOKENS, "ip_weight": 1.0} if features else {})
        self.features, self.tensors = features, dict[str, Tensor]()
        self.random = torch.Generator().manual_seed(seed)

    def __call__(
        self, x: Tensor, t: int, text: Tensor, camera: Tensor, frames: int, picture: Tensor | None = None
    ) -> Tensor:
        """Noise in [B, 4, H, W], conditioned on texts [B, T, D], cameras [B, 16] and pictures' features [B, P, F]."""
        width = self.config["model_channels"]
        angles = t * torch.exp(-math.log(10000) * torch.arange(width // 2) / (width // 2))
        time = torch.cat([angles.cos(), angles.sin()]).to(x).expand(len(x), -1)
        known = self.two("time_embed", time, 4 * width) + self.two("camera_embed", camera, 4 * width)
        seen = text, None if picture is None else self.resampled(picture)
        blocks = [self.conv("input_blocks.0.0", x, width)]
        for level, factor in enumerate(self.config["channel_mult"]):
            for _ in range(self.config["num_res_blocks"]):
                blocks.append(self.block(f"input_blocks.{len(blocks)}", level, blocks[-1], known, factor, seen, frames))
            if level < len(self.config["channel_mult"]) - 1:
                name = f"input_blocks.{len(blocks)}.0.op"
                blocks.append(self.conv(name, blocks[-1], blocks[-1].shape[1], stride=2))
        x = blocks[-1]
        channels = x.shape[1]
        x = self.residual("middle_block.0", x, known, channels)
        x = self.transformer("middle_block.1", x, seen, frames)
        x = self.residual("middle_block.2", x, known, channels)
        number = 0
        for level, factor in reversed(list(enumerate(self.config["channel_mult"]))):
            for i in range(self.config["num_res_blocks"] + 1):
                name = f"output_blocks.{number}"
                x = self.block(name, level, torch.cat([x, blocks.pop()], 1), known, factor, seen, frames)
                if level and i == self.config["num_res_blocks"]:
                    place = 2 if 2**level in self.config["attention_resolutions"] else 1
                    x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
                    x = self.conv(f"{name}.{place}.conv", x, x.shape[1])
                number += 1
        return self.conv("out.2", functional.silu(self.groups("out.0", x)), 4)

    def resampled(self, picture: Tensor) -> Tensor:
        """Tokens of a picture: few queries that look at its features and at themselves."""
        wide = self.config["context_dim"]
        tokens = self.tensor("image_embed.latents", 1, TOKENS, wide).to(picture).repeat(len(picture), 1, 1)
        x = self.linear("image_embed.proj_in", picture, wide)
        for i in range(LAYERS):
            name = f"image_embed.layers.{i}"
            own = self.layer(f"{name}.0.norm2", tokens)
            both = torch.cat([self.layer(f"{name}.0.norm1", x), own], 1)
            keys, values = self.linear(f"{name}.0.to_kv", both, 2 * HEAD, bias=False).chunk(2, -1)
            found = attention(self.linear(f"{name}.0.to_q", own, HEAD, bias=False), keys, values, 1)
            tokens = tokens + self.linear(f"{name}.0.to_out", found, wide, bias=False)
            inner = functional.gelu(self.linear(f"{name}.1.1", self.layer(f"{name}.1.0", tokens), 4 * wide, bias=False))
            tokens = tokens + self.linear(f"{name}.1.3", inner, wide, bias=False)
        return self.layer("image_embed.norm_out", self.linear("image_embed.proj_out", tokens, wide))

    def block(self, name: str, level: int, x: Tensor, known: Tensor, factor: int, seen: Any, frames: int) -> Tensor:
        x = self.residual(f"{name}.0", x, known, factor * self.config["model_channels"])
        attends = 2**level in self.config["attention_resolutions"]
        return self.transformer(f"{name}.1", x, seen, frames) if attends else x

    def residual(self, name: str, x: Tensor, known: Tensor, out: int) -> Tensor:
        inner = self.conv(f"{name}.in_layers.2", functional.silu(self.groups(f"{name}.in_layers.0", x)), out)
        inner = inner + self.linear(f"{name}.emb_layers.1", functional.silu(known), out)[..., None, None]
        inner = self.conv(f"{name}.out_layers.3", functional.silu(self.groups(f"{name}.out_layers.0", inner)), out)
        return inner + (x if x.shape[1] == out else self.conv(f"{name}.skip_connection", x, out, size=1))

    def transformer(self, name: str, image: Tensor, seen: Any, frames: int) -> Tensor:
        (text, picture), wide = seen, image.shape[1]
        heads = wide // self.config["num_head_channels"]
        x = self.groups(f"{name}.norm", image, 1e-6).flatten(2).transpose(1, 2)
        x = self.linear(f"{name}.proj_in", x, wide)
        name = f"{name}.transformer_blocks.0"
        own = self.layer(f"{name}.norm1", x)
        every = torch.cat([torch.cat(list(entry))[None].expand(frames, -1, -1) for entry in own.split(frames)])
        q, k, v = (
            self.linear(f"{name}.attn1.to_{n}", y, wide, bias=False)
            for n, y in zip("qkv", (own, every, every), strict=True)
        )
        x = x + self.linear(f"{name}.attn1.to_out.0", attention(q, k, v, heads), wide)
        q = self.linear(f"{name}.attn2.to_q", self.layer(f"{name}.norm2", x), wide, bias=False)
        found = torch.zeros_like(x)
        for given, end in ((text, ""), (picture, "_ip")):
            if given is not None:
                k, v = (self.linear(f"{name}.attn2.to_{n}{end}", given, wide, bias=False) for n in "kv")
                found = found + attention(q, k, v, heads)
        x = x + self.linear(f"{name}.attn2.to_out.0", found, wide)
        inner, gate = self.linear(f"{name}.ff.net.0.proj", self.layer(f"{name}.norm3", x), 8 * wide).chunk(2, -1)
        x = x + self.linear(f"{name}.ff.net.2", inner * functional.gelu(gate), wide)
        x = self.linear(f"{name.partition('.transformer_blocks')[0]}.proj_out", x, wide)
        return image + x.transpose(1, 2).reshape(image.shape)

    def tensor(self, name: str, *shape: int) -> Tensor:
        if name not in self.tensors:
            values = torch.randn(shape, generator=self.random)
            scale = 0.1 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[1:]))
            self.tensors[name] = scale * values + (1.0 if len(shape) == 1 and name.endswith("weight") else 0.0)
        return self.tensors[name]

    def two(self, name: str, x: Tensor, out: int) -> Tensor:
        return self.linear(f"{name}.2", functional.silu(self.linear(f"{name}.0", x, out)), out)

    def linear(self, name: str, x: Tensor, out: int, bias: bool = True) -> Tensor:
        weight = self.tensor(f"{name}.weight", out, x.shape[-1]).to(x)
        return x @ weight.T + (self.tensor(f"{name}.bias", out).to(x) if bias else 0)

    def conv(self, name: str, x: Tensor, out: int, size: int = 3, stride: int = 1) -> Tensor:
        weight = self.tensor(f"{name}.weight", out, x.shape[1], size, size).to(x)
        return functional.conv2d(x, weight, self.tensor(f"{name}.bias", out).to(x), stride, padding=size // 2)

    def groups(self, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
        weight, bias = (self.tensor(f"{name}.{end}", x.shape[1]).to(x) for end in ("weight", "bias"))
        return functional.group_norm(x, 32, weight, bias, eps)

    def layer(self, name: str, x: Tensor) -> Tensor:
        weight, bias = (self.tensor(f"{name}.{end}", x.shape[-1]).to(x) for end in ("weight", "bias"))
        return functional.layer_norm(x, x.shape[-1:], weight, bias)


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(q . k / sqrt(d)) v, head by head."""
    parts = []
    for one, two, three in zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1), strict=True):
        parts.append(torch.softmax(one @ two.transpose(1, 2) / math.sqrt(one.shape[-1]), -1) @ three)
    return torch.cat(parts, -1)
