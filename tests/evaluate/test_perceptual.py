"""LPIPS with a small module in the package's place: what is asked of it, and what is said where it is not usable."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from meshopt.errors import InputError
from meshopt.evaluate.perceptual import perceptual

Image = np.ndarray


class Network(torch.nn.Module):
    """The mean absolute difference."""

    def __init__(self, net: str, verbose: bool) -> None:
        super().__init__()
        assert (net, verbose) == ("alex", False)

    def forward(self, first: torch.Tensor, second: torch.Tensor, normalize: bool) -> torch.Tensor:
        assert normalize  # they are in [0, 1]
        assert first.shape == (1, 3, 64, 80)
        return (first - second).abs().mean().reshape(1, 1, 1, 1)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The package, and torch's folder for weights, which is empty."""
    module = ModuleType("lpips")
    module.LPIPS = Network  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lpips", module)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path / "checkpoints"


@pytest.fixture
def pictures() -> tuple[Image, Image]:
    return np.full((64, 80, 3), 0.25, np.float32), np.full((64, 80, 3), 0.75, np.float32)


def test_distance_is_the_networks(package: Path, pictures: tuple[Image, Image]) -> None:
    package.mkdir()
    (package / "alexnet-owt-7be5be79.pth").touch()
    assert perceptual()(*pictures) == pytest.approx(0.5)


def test_weights_are_fetched_only_when_told(package: Path, pictures: tuple[Image, Image]) -> None:
    message = f"--lpips needs AlexNet's weights, which are not in {package} (expected alexnet-owt-*.pth): --download"
    with pytest.raises(InputError, match=re.escape(message)):
        perceptual()
    assert perceptual(download=True)(*pictures) == pytest.approx(0.5)


def test_small_pictures_are_refused(package: Path) -> None:
    small = np.zeros((32, 80, 3), np.float32)
    with pytest.raises(InputError, match="at least 64 x 64 pixels, found views of 32 x 80"):
        perceptual(download=True)(small, small)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ModuleNotFoundError("No module named 'lpips'", name="lpips"),
            'not installed: pip install "meshopt3d[lpips]".',
        ),
        (
            ModuleNotFoundError("No module named 'torchvision'", name="torchvision"),
            "ModuleNotFoundError: No module named",
        ),
        (RuntimeError("operator torchvision::nms does not exist"), "RuntimeError: operator torchvision::nms does not"),
    ],
)
def test_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    real = builtins.__import__

    def refuse(name: str, *more: Any, **options: Any) -> Any:
        if name == "lpips":
            raise error
        return real(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=re.escape(message)):
        perceptual()
