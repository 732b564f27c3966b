"""A denoising model that is shown a picture by a second one: reference attention, pixel by pixel.

From Unique3D (Wu et al., NeurIPS 2024); reviewed against AiuniAI/Unique3D at a4f4ad2,
custum_3d_diffusion/custum_modules/attention_processors.py (ExtraAttnProc) and unifield_processor.py
(ConfigurableUNet2DConditionModel.unet_forward_hook).
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ModelMixin, UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from torch import nn

Seen = dict[str, torch.Tensor]  # what a block's self-attention was given, by the block's name


class Remembering(nn.Module):
    """Self-attention that keeps what it was given, under `name` in `seen`."""

    def __init__(self, attention: nn.Module, name: str, seen: Seen) -> None:
        super().__init__()
        self.attention, self.name, self.seen = attention, name, seen

    def forward(self, hidden_states: torch.Tensor, **others: Any) -> torch.Tensor:
        """Tokens [B, T, C] to tokens."""
        self.seen[self.name] = hidden_states
        return self.attention(hidden_states, **others)


class Referring(nn.Module):
    """Self-attention, to which each token adds attention to its own token of the reference, and to no other.

    The softmax over one key is 1: queries and keys do not matter, and are not kept.
    """

    def __init__(self, attention: nn.Module, width: int, name: str, seen: Seen) -> None:
        super().__init__()
        self.attention, self.name, self.seen = attention, name, seen
        self.to_v, self.to_out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, hidden_states: torch.Tensor, **others: Any) -> torch.Tensor:
        """Tokens [B, T, C] to tokens."""
        reference = self.to_out(self.to_v(self.seen.pop(self.name)))
        return self.attention(hidden_states, **others) + reference


class ReferencedUNet(ModelMixin):
    """Two models of one shape: what the blocks of `ref_unet` see of a picture goes to those of `unet`."""

    views = 1  # pictures that are drawn of each given one

    def __init__(self, unet: UNet2DConditionModel, ref_unet: UNet2DConditionModel) -> None:
        super().__init__()
        seen: Seen = {}
        for name, block in _blocks(ref_unet):
            block.attn1 = Remembering(block.attn1, name, seen)
        for name, block in _blocks(unet):
            block.attn1 = Referring(block.attn1, block.norm1.normalized_shape[0], name, seen)
        self.unet, self.ref_unet = unet, ref_unet

    def forward(
        self, sample: torch.Tensor, time: torch.Tensor, embedding: torch.Tensor, given: torch.Tensor
    ) -> torch.Tensor:
        """The noise in latents [B, 4, h, w] at a time, by embeddings [B, T, C] and latents of the given pictures."""
        self.ref_unet(given, time, embedding)
        return self.unet(sample, time, embedding).sample

    def set_attention_slice(self, size: str | int | None) -> None:
        """As a UNet2DConditionModel has it."""
        self.unet.set_attention_slice(size)
        self.ref_unet.set_attention_slice(size)


def _blocks(unet: UNet2DConditionModel) -> list[tuple[str, BasicTransformerBlock]]:
    return [(name, module) for name, module in unet.named_modules() if isinstance(module, BasicTransformerBlock)]
