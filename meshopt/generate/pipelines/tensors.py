"""Published tensors into models of diffusers' that were changed to take them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from meshopt.errors import InputError


def read_tensors(folder: Path, pickles: bool) -> dict[str, Tensor]:
    """The tensors of a model as diffusers saves it, by name; `pickles`: from a .bin where there is nothing else."""
    safe = folder / "diffusion_pytorch_model.safetensors"
    return tensors_in(safe if safe.is_file() or not pickles else folder / "diffusion_pytorch_model.bin")


def tensors_in(file: Path) -> dict[str, Tensor]:
    """The tensors in a .safetensors file, or in a pickle of nothing else."""
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    return torch.load(file, map_location="cpu", weights_only=True)


def fill(model: nn.Module, tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Makes the tensors the model's. Raises InputError where they are not all of its own; `folder`: theirs."""
    result = model.load_state_dict(tensors, strict=False, assign=True)
    if result.missing_keys or result.unexpected_keys:
        some = ", ".join([*result.missing_keys, *result.unexpected_keys][:2])
        raise InputError(
            f"{folder}: its weights are not those of its config ({len(result.missing_keys)} are missing and "
            f"{len(result.unexpected_keys)} left over, such as {some})."
        )
