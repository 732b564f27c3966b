"""A denoising model that draws several views at once: attention over views and, where there are several, over domains.

From Wonder3D (Long et al., CVPR 2024), section 4; reviewed against xxlong0/Wonder3D at d894f82,
mvdiffusion/models/transformer_mv2d.py (BasicMVTransformerBlock, MVAttnProcessor, JointAttnProcessor).
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from torch import nn

DOMAINS = 2  # normals and colours


class MultiviewBlock(nn.Module):
    """A transformer's block in which every view sees all views of its domain, then both domains of its own view.

    The batch holds the first domain in its first half and the second in the other; in each half, `views` in a row
    belong together. It has the parts of a plain block, by the same names, and two of its own. `joint` False: there is
    one domain, and nothing but the views' attention differs from a plain block.
    """

    def __init__(self, block: BasicTransformerBlock, views: int, joint: bool = True) -> None:
        super().__init__()
        self.views, self.joint = views, joint
        self.norm1, self.attn1, self.norm2, self.attn2 = block.norm1, block.attn1, block.norm2, block.attn2
        self.norm3, self.ff = block.norm3, block.ff
        if not joint:
            return
        width = block.norm1.normalized_shape[0]
        heads = block.attn1.heads
        self.norm_joint_mid = nn.LayerNorm(width)
        self.attn_joint_mid = Attention(query_dim=width, heads=heads, dim_head=width // heads)

    def forward(
        self, hidden_states: torch.Tensor, *, encoder_hidden_states: torch.Tensor, **others: Any
    ) -> torch.Tensor:
        """Tokens [B, T, C] to tokens. That all queries of a group meet all of its keys is attention over one row."""
        batch, tokens, width = hidden_states.shape
        views = self.norm1(hidden_states).reshape(batch // self.views, self.views * tokens, width)
        hidden_states = self.attn1(views).reshape(batch, tokens, width) + hidden_states
        if self.joint:
            domains = torch.cat(self.norm_joint_mid(hidden_states).chunk(DOMAINS), dim=1)
            hidden_states = torch.cat(self.attn_joint_mid(domains).split(tokens, dim=1)) + hidden_states
        seen = self.attn2(self.norm2(hidden_states), encoder_hidden_states=encoder_hidden_states)
        hidden_states = seen + hidden_states
        return self.ff(self.norm3(hidden_states)) + hidden_states


def with_views(unet: UNet2DConditionModel, views: int, joint: bool = True) -> UNet2DConditionModel:
    """The model with every block of its transformers made one of several views; changes and returns it."""
    for module in list(unet.modules()):
        blocks = getattr(module, "transformer_blocks", None)
        if isinstance(blocks, nn.ModuleList):
            for i, block in enumerate(blocks):
                blocks[i] = MultiviewBlock(block, views, joint)
    return unet
