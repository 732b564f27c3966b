"""How a model runs: device, number type, offloading, progress, seeds, and what to do where the memory is full."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshopt.errors import InputError

if TYPE_CHECKING:
    import torch

    from meshopt.generate.adapters import OnStep

DTYPES = ("auto", "float32", "float16", "bfloat16")
OFFLOADS = ("none", "model", "sequential")
_UNKNOWN = re.compile("not implemented for '(Half|BFloat16)'")
_FULL = re.compile("out of memory|allocate memory|not enough memory", re.IGNORECASE)


@dataclass(frozen=True)
class RuntimeOptions:
    """What a user asks for.

    `device`: auto (an accelerator where there is one), or torch's name. `dtype`: auto is float16 on accelerators and
    float32 on the CPU. `offload`: components wait in main memory and come onto the device as a whole ('model') or layer
    by layer ('sequential'), which takes longer. `slicing`: attention and decoding in slices, which takes less memory.
    Raises InputError.
    """

    device: str = "auto"
    dtype: str = "auto"
    offload: str = "none"
    slicing: bool = False

    def __post_init__(self) -> None:
        for flag, found, known in (("--dtype", self.dtype, DTYPES), ("--offload", self.offload, OFFLOADS)):
            if found not in known:
                raise InputError(f"{flag} {found!r} is unknown, expected {', '.join(known[:-1])} or {known[-1]}.")


@dataclass(frozen=True)
class Runtime:
    """A device and a type that are there, and where progress is told."""

    device: torch.device
    dtype: torch.dtype
    options: RuntimeOptions
    on_step: OnStep = lambda what, done, total: None
    offload: bool = True  # the model's parts may wait in main memory

    @property
    def record(self) -> dict[str, str]:
        """For the record of a run."""
        return {"device": self.device.type, "dtype": str(self.dtype).removeprefix("torch.")}

    def place(self, pipeline: Any, attention: bool = True) -> Any:
        """A diffusers pipeline, on the device or offloaded; `attention`: it may be sliced, too, not only decoding."""
        if self.options.slicing:
            if attention:
                pipeline.enable_attention_slicing()
            if hasattr(pipeline, "vae") and hasattr(pipeline.vae, "enable_slicing"):
                pipeline.vae.enable_slicing()
        if self.options.offload == "model":
            pipeline.enable_model_cpu_offload(device=self.device)
        elif self.options.offload == "sequential":
            pipeline.enable_sequential_cpu_offload(device=self.device)
        else:
            pipeline.to(self.device)
        return pipeline

    def watch(self, pipeline: Any, what: str) -> None:
        """Tells the pipeline's steps to `on_step`, under the name `what`, instead of drawing bars."""

        def bar(iterable: Iterable[Any] | None = None, total: int | None = None, **words: Any) -> _Bar:
            return _Bar(self.on_step, what, iterable, total, bool(words.get("leave", True)))

        pipeline.progress_bar = bar

    def generator(self, seed: int) -> torch.Generator:
        """Of a model's noise: on the CPU whatever the device, so that the noise is the same everywhere."""
        import torch

        return torch.Generator("cpu").manual_seed(seed)

    @contextlib.contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Within it, torch's and numpy's global numbers follow the seed (some pipelines use them); afterwards they are
        as they were."""
        import numpy as np
        import torch

        state = np.random.get_state()  # noqa: NPY002
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            try:
                yield
            finally:
                np.random.set_state(state)  # noqa: NPY002


class _Bar:
    """In place of tqdm: a loop or a counter whose steps are told. Loops around others (`leave`) are not."""

    def __init__(self, on_step: OnStep, what: str, iterable: Iterable[Any] | None, total: int | None, leave: bool):
        self._on_step, self._what = on_step, what
        self._items = None if iterable is None else list(iterable)
        self._told = self._items is None or not leave
        self._total = total or len(self._items or ())
        self._done = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self._items or ():
            yield item
            if self._told:
                self.update()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to end."""

    def update(self, steps: int = 1) -> None:
        """So many more steps are done."""
        self._done += steps
        self._on_step(self._what, self._done, self._total)


def start(options: RuntimeOptions, on_step: OnStep = lambda what, done, total: None, offload: bool = True) -> Runtime:
    """The runtime that the options describe, of a model whose parts may (or not) wait in main memory.

    Raises InputError where the device is not there, or the model cannot run so.
    """
    import torch

    from meshopt.devices import accelerator, named

    if options.device == "auto":
        device = accelerator() or torch.device("cpu")
    else:
        device = named(options.device)
    if options.offload != "none" and device.type == "cpu":
        raise InputError(f"--offload {options.offload} needs an accelerator: on the CPU, everything is in main memory.")
    if options.offload != "none" and not offload:
        raise InputError(
            f"--offload {options.offload}: this model's own code expects all of its parts on one device; "
            "--dtype float16 needs less memory, too."
        )
    if options.dtype == "auto":
        dtype = torch.float32 if device.type == "cpu" else torch.float16
    else:
        dtype = getattr(torch, options.dtype)
    if device.type == "cpu" and dtype == torch.float16:
        raise InputError("--dtype float16 is not for the CPU: expected float32, or bfloat16, which needs less memory.")
    return Runtime(device, dtype, options, on_step, offload)


@contextlib.contextmanager
def memory_advice(runtime: Runtime) -> Iterator[None]:
    """Turns a full memory, and a type that the device cannot compute in, into an InputError that says what helps."""
    try:
        yield
    except NotImplementedError as error:
        if not _UNKNOWN.search(str(error)):
            raise
        type_ = str(runtime.dtype).removeprefix("torch.")
        raise InputError(
            f"{runtime.device} cannot compute all of this model in {type_}: use --dtype float32."
        ) from error
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not _FULL.search(str(error)):
            raise
        raise InputError(f"the memory of {runtime.device} is full: {_advice(runtime)}.") from error


def _advice(runtime: Runtime) -> str:
    import torch

    options, flags = runtime.options, []
    if runtime.device.type == "cpu":
        flags = [] if runtime.dtype == torch.bfloat16 else ["--dtype bfloat16"]
    else:
        if runtime.dtype == torch.float32:
            flags.append("--dtype float16")
        if runtime.offload and options.offload != "sequential":
            flags.append("--offload sequential" if options.offload == "model" else "--offload model")
    if not options.slicing:
        flags.append("--slicing")
    flags += [] if runtime.device.type == "cpu" else ["--device cpu (slow)"]
    return f"{', then '.join(flags)} needs less" if flags else "this machine has too little of it for this model"
