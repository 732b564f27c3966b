"""What every backend asks of its input, in the same words. All raise InputError."""

from __future__ import annotations

import torch
from torch import Tensor

from meshopt.errors import InputError


def check_device(tensor: Tensor, devices: tuple[str, ...], name: str) -> None:
    """The backend called `name` draws tensors on such devices."""
    if tensor.device.type not in devices:
        raise InputError(
            f"{name} draws tensors on {', '.join(devices)}, but these are on {tensor.device}:"
            " use rasteriser cpu or move them"
        )


def index_bounds(faces: Tensor) -> tuple[int, int]:
    """The lowest and the highest vertex that faces name; one transfer from an accelerator. (0, -1) without faces."""
    if not faces.numel():
        return 0, -1
    low, high = torch.stack(torch.aminmax(faces)).tolist()
    return low, high


def check_faces(bounds: tuple[int, int], vertices: int) -> None:
    """Faces with these `index_bounds` are of a mesh of so many vertices: kernels read memory by them."""
    low, high = bounds
    if low < 0 or high >= vertices:
        raise InputError(f"faces index vertices {low} to {high}, but there are {vertices} vertices (from 0)")


def check_views(attributes: Tensor, views: int) -> None:
    """Attributes [V,N,C] are each view's, or the same for all."""
    if len(attributes) not in (1, views):
        raise InputError(f"attributes are given for {len(attributes)} views, but {views} (or 1) were expected")
