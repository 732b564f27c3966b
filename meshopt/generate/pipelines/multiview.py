"""A denoising model that draws several views, in several domains, at once: attention over views and over domains.

From Wonder3D (Long et al., CVPR 2024), section 4; reviewed against xxlong0/Wonder3D at d894f82,
mvdiffusion/models/transformer_mv2d.py (BasicMVTransformerBlock, MVAttnProcessor, JointAttnProcessor).

And from Era3D (Li et al., NeurIPS 2024), row-wise attention: level orthographic cameras see a point in the same row of
every view. Reviewed against pengHTYX/Era3D at a2ce68d, mvdiffusion/models/transformer_mv2d_self_rowwise.py
(BasicMVTransformerBlock, XFormersMVAttnProcessor, XFormersJointAttnProcessor).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from torch import nn

DOMAINS = 2  # normals and colours
DOMAIN, ENTRY, VIEW, ROW, COLUMN, CHANNEL = range(6)  # the axes of a batch of tokens


@dataclass(frozen=True)
class Scheme:
    """What a block's two self-attentions go over: a token meets those that share its place on all other axes.

    `first` is that of the attention which a plain block has; `second` that of another one, named `name` in the weights,
    if there is one. `domains` of pictures are in a batch.
    """

    first: tuple[int, ...]
    second: tuple[int, ...] = ()
    name: str = ""
    domains: int = DOMAINS


VIEWS_AND_DOMAINS = Scheme((VIEW, ROW, COLUMN), (DOMAIN, ROW, COLUMN), "joint_mid")  # Wonder3D
DOMAINS_AND_ROWS = Scheme((DOMAIN, ROW, COLUMN), (VIEW, COLUMN), "mv")  # Era3D
VIEWS_ALONE = Scheme((VIEW, ROW, COLUMN), domains=1)  # Unique3D


class MultiviewBlock(nn.Module):
    """A transformer's block whose tokens see those of other views and of the other domain.

    The batch holds one domain after the other; in each, `views` in a row belong together. It has the parts of a plain
    block, by the same names, and, for a second attention, two of its own.
    """

    def __init__(self, block: BasicTransformerBlock, views: int, scheme: Scheme) -> None:
        super().__init__()
        self.views, self.scheme = views, scheme
        self.norm1, self.attn1, self.norm2, self.attn2 = block.norm1, block.attn1, block.norm2, block.attn2
        self.norm3, self.ff = block.norm3, block.ff
        if not scheme.second:
            return
        width = block.norm1.normalized_shape[0]
        heads = block.attn1.heads
        self.add_module(f"norm_{scheme.name}", nn.LayerNorm(width))
        self.add_module(f"attn_{scheme.name}", Attention(query_dim=width, heads=heads, dim_head=width // heads))

    def forward(
        self, hidden_states: torch.Tensor, *, encoder_hidden_states: torch.Tensor, **others: Any
    ) -> torch.Tensor:
        """Tokens [B, T, C] of square pictures to tokens."""
        for name, axes in (("1", self.scheme.first), (f"_{self.scheme.name}", self.scheme.second)):
            if axes:
                norm, attention = getattr(self, f"norm{name}"), getattr(self, f"attn{name}")
                seen = attend(attention, norm(hidden_states), axes, (self.scheme.domains, -1, self.views))
                hidden_states = seen + hidden_states
        seen = self.attn2(self.norm2(hidden_states), encoder_hidden_states=encoder_hidden_states)
        hidden_states = seen + hidden_states
        return self.ff(self.norm3(hidden_states)) + hidden_states


def attend(
    attention: Attention, tokens: torch.Tensor, axes: tuple[int, ...], batch: tuple[int, int, int]
) -> torch.Tensor:
    """Self-attention of tokens [B, T, C] over some axes; `batch`: domains, entries, views.

    That all queries of a group meet all of its keys is attention over one row.
    """
    side = math.isqrt(tokens.shape[1])
    grid = tokens.reshape(*batch, side, side, tokens.shape[-1])
    kept = [axis for axis in range(CHANNEL) if axis not in axes]
    order = (*kept, *axes, CHANNEL)
    grouped = grid.permute(order)
    groups = math.prod(grouped.shape[: len(kept)])
    seen = attention(grouped.reshape(groups, -1, tokens.shape[-1])).reshape(grouped.shape)
    back = sorted(range(len(order)), key=order.__getitem__)
    return seen.permute(back).reshape(tokens.shape)


def with_views(unet: UNet2DConditionModel, views: int, scheme: Scheme = VIEWS_AND_DOMAINS) -> UNet2DConditionModel:
    """The model with every block of its transformers made one of several views; changes and returns it."""
    return with_blocks(unet, lambda block: MultiviewBlock(block, views, scheme))


def with_blocks(unet: UNet2DConditionModel, make: Callable[[BasicTransformerBlock], nn.Module]) -> UNet2DConditionModel:
    """The model with what is made of each block of its transformers in its place; changes and returns it."""
    for module in list(unet.modules()):
        blocks = getattr(module, "transformer_blocks", None)
        if isinstance(blocks, nn.ModuleList):
            for i, block in enumerate(blocks):
                blocks[i] = make(block)
    return unet
