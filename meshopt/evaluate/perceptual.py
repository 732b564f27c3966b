"""LPIPS (Zhang et al. 2018), with the optional package `lpips`; nothing is downloaded unless it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from meshopt import packages
from meshopt.errors import InputError

NETWORK, WEIGHTS, SIZE = "alex", "alexnet-owt-*.pth", "233 MB"
SMALLEST = 64  # rows and columns, below which the network has nothing left to compare
Perceptual = Callable[[Float[np.ndarray, "H W 3"], Float[np.ndarray, "H W 3"]], float]


def perceptual(download: bool = False) -> Perceptual:
    """A function of two pictures in [0, 1]: their LPIPS with AlexNet, 0 for equal ones.

    Raises InputError where the package is not usable, or where the network's weights are not in torch's folder for them
    and `download` is False.
    """
    package = _imported()
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if not download and not any(folder.glob(WEIGHTS)):
        raise InputError(
            f"--lpips needs AlexNet's weights, which are not in {folder} (expected {WEIGHTS}): --download fetches them"
            f" ({SIZE})."
        )
    network = package.LPIPS(net=NETWORK, verbose=False).eval()

    def distance(first: Float[np.ndarray, "H W 3"], second: Float[np.ndarray, "H W 3"]) -> float:
        height, width = first.shape[:2]
        if min(height, width) < SMALLEST:
            expected = f"at least {SMALLEST} x {SMALLEST} pixels"
            raise InputError(f"--lpips needs {expected}, found views of {height} x {width}.")
        images = [torch.from_numpy(image).float().movedim(-1, 0)[None] for image in (first, second)]
        with torch.no_grad():
            return float(network(*images, normalize=True))

    return distance


def _imported() -> Any:
    try:
        import lpips
    except ImportError as error:
        if error.name == "lpips":
            command = f'pip install "{packages.PROJECT}[lpips]"'
            raise InputError(f"--lpips needs the package lpips, which is not installed: {command}.") from None
        raise _unusable(error) from None
    except Exception as error:  # a torchvision that does not fit torch fails in many ways
        raise _unusable(error) from None
    return lpips


def _unusable(error: Exception) -> InputError:
    words = " ".join(str(error).split())[:200]
    return InputError(f"--lpips: the package lpips cannot be imported ({type(error).__name__}: {words}).")
