"""A device that is not there: tensors that compute on the CPU, but keep the rules of an accelerator's.

Inside `Accelerator()`, tensors that are made on or moved to the device `meta` are `Remote`: they hold their values in
CPU memory, report the device `meta`, have no `.numpy()`, and refuse to be mixed with CPU tensors, as CUDA's do (CPU
scalars and indices excepted). `waits` counts what makes a program wait for the device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from meshopt.raster.cpu import CpuRasterizer
from meshopt.raster.protocol import Fragments

DEVICE = torch.device("meta")
ops = torch.ops.aten
MOVES = (ops._to_copy.default, ops.copy_.default)
WAITS = {ops._local_scalar_dense.default: "item", ops.nonzero.default: "nonzero", ops.bincount.default: "bincount"}
INDEXED = (ops.index.Tensor, ops.index_put_.default, ops.index_put.default)


class Broken(AssertionError):
    """A rule of the device was not kept."""


class Remote(Tensor):
    """A tensor of the device; `values` is where they really are."""

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> Remote:
        place = {"strides": values.stride(), "storage_offset": values.storage_offset()}
        remote = Tensor._make_wrapper_subclass(cls, values.shape, dtype=values.dtype, device=DEVICE, **place)
        remote.values = values
        return remote

    def __repr__(self) -> str:
        return f"Remote({self.values})"

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise Broken(f"{function}: the device is not there any more")


class Accelerator(TorchDispatchMode):
    """Where the device is there. `float64`: whether it has such numbers (CUDA has, MPS has not)."""

    def __init__(self, float64: bool = True) -> None:
        super().__init__()
        self.float64, self.waits, self._makers = float64, Counter(), Makers()

    def __enter__(self) -> Accelerator:
        self._makers.__enter__()
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._makers.__exit__(*exception)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One operation, on the values, with a result where it belongs."""
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        remote = any(isinstance(t, Remote) for t in tensors)
        mixing = [args[0], *args[2:]] if function in INDEXED else tensors  # CUDA takes indices from the CPU, too
        if remote and function not in MOVES and any(map(is_local, mixing)):
            raise Broken(f"{function} of two devices: {[(type(t).__name__, tuple(t.shape)) for t in tensors]}")
        there = remote if kwargs.get("device") is None else torch.device(kwargs["device"]) == DEVICE
        if function is ops.copy_.default:
            there = isinstance(args[0], Remote)
        if remote:
            self._count(function, args, there)
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        inner = tree_map(lambda leaf: leaf.values if isinstance(leaf, Remote) else leaf, (args, kwargs))
        result = function(*inner[0], **inner[1])
        if not there:
            return result
        return args[0] if function._schema.is_mutable else tree_map(self._outer, result)

    def _outer(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if value.dtype == torch.float64 and not self.float64:
            raise Broken("float64 on a device that has none")
        return Remote(value)

    def _count(self, function: Any, args: Any, there: bool) -> None:
        self.waits[WAITS.get(function, "none")] += 1
        self.waits["copy to the CPU"] += function in MOVES and not there
        indices = [index for index in args[1] if index is not None] if function in INDEXED else []
        self.waits["index by mask"] += any(index.dtype == torch.bool for index in indices)
        self.waits["index from the CPU"] += any(map(is_local, indices))
        del self.waits["none"]


class Makers(TorchFunctionMode):
    """What makes tensors, or reads them, below the level of the other mode."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is Tensor.new_tensor and isinstance(args[0], Remote):
            return Remote(torch.tensor(*args[1:], **{"dtype": args[0].dtype, **kwargs}))
        if function in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu") == DEVICE:
            return Remote(function(*args, **{**kwargs, "device": "cpu"}))
        if function is Tensor.tolist and isinstance(args[0], Remote):
            return args[0].cpu().tolist()
        if function in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], Remote):
            args = (args[0], with_tensors(args[1]), *args[2:])
        return function(*args, **kwargs)


def with_tensors(index: Any) -> Any:
    """An index with tensors in place of lists."""
    if isinstance(index, tuple):
        return tuple(map(with_tensors, index))
    return torch.tensor(index) if isinstance(index, list) else index


def is_local(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dim() > 0 and not isinstance(value, Remote)


class Fetch(torch.autograd.Function):
    """The values of a tensor of the device, as a kernel there sees them: no copy, no wait."""

    @staticmethod
    def forward(ctx: Any, remote: Tensor) -> Tensor:
        if not isinstance(remote, Remote):
            raise Broken(f"a rasteriser of the device was given a tensor on {remote.device}")
        return remote.values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return Remote(gradient)


class Put(torch.autograd.Function):
    """The other way."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        remote = Remote(values)
        if not values.is_floating_point():
            ctx.mark_non_differentiable(remote)
        return remote

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.values


def on_device(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of CPU tensors as one of tensors of the device, differentiable; other devices' are refused."""

    def moved(value: Any, way: Any) -> Any:
        if isinstance(value, Fragments):
            return Fragments(*(way.apply(part) for part in (value.face, value.bary, value.depth)))
        return way.apply(value) if isinstance(value, Tensor) else value

    def called(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree_map(lambda leaf: moved(leaf, Fetch), (args, kwargs))
        return tree_map(lambda leaf: moved(leaf, Put), function(*args, **kwargs))

    return called


class RemoteRasterizer(CpuRasterizer):
    """A fast backend of the device."""

    name, licence, devices, rank = "remote", "none", (DEVICE.type,), 50

    def __init__(self) -> None:
        for operation in ("rasterize", "interpolate", "antialias"):
            setattr(self, operation, on_device(getattr(super(), operation)))
