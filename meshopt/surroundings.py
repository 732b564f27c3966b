"""The state of torch and numpy that belongs to the program around: what is computed must not depend on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch

from meshopt import parallel


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Within this context torch and numpy behave as they do by default, without gradients and on this thread alone.

    Afterwards all is as it was found. torch's default type of numbers is one for all threads and stays: tensors are
    made with a type of their own.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(parallel.single_torch())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield
