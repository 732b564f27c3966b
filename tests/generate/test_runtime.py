"""How models run: devices and types, steps that are told, seeds, and advice where the memory is full."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshopt.errors import InputError
from meshopt.generate.runtime import Runtime, RuntimeOptions, memory_advice, start


def test_the_cpu_computes_in_float32() -> None:
    runtime = start(RuntimeOptions(device="cpu"))
    assert (runtime.device.type, runtime.dtype) == ("cpu", torch.float32)
    assert start(RuntimeOptions(device="cpu", dtype="bfloat16")).dtype == torch.bfloat16
    assert runtime.record == {"device": "cpu", "dtype": "float32"}


def test_an_accelerator_computes_in_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshopt.devices.accelerator", lambda: torch.device("meta"))
    assert start(RuntimeOptions()).dtype == torch.float16


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "int8"}, "--dtype 'int8' is unknown, expected auto, float32, float16 or bfloat16"),
        ({"offload": "disk"}, "--offload 'disk' is unknown, expected none, model or sequential"),
        ({"device": "toaster"}, "--device toaster: not usable here"),
        ({"device": "cpu", "offload": "model"}, "--offload model needs an accelerator"),
        ({"device": "cpu", "dtype": "float16"}, "--dtype float16 is not for the CPU: expected float32, or bfloat16"),
        ({"device": "meta", "offload": "model"}, "--offload model: this model's own code expects all of its parts"),
    ],
)
def test_what_cannot_be(options: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        start(RuntimeOptions(**options), offload=False)


def test_steps_are_told_from_counters_and_loops() -> None:
    told: list[tuple[str, int, int]] = []
    runtime = start(RuntimeOptions(device="cpu"), lambda *step: told.append(step))
    pipeline = SimpleNamespace()
    runtime.watch(pipeline, "views")
    with pipeline.progress_bar(total=2) as bar:  # as most pipelines count
        bar.update()
        bar.update()
    assert told == [("views", 1, 2), ("views", 2, 2)]
    told.clear()
    for _ in pipeline.progress_bar([0, 1], leave=True, desc="images"):  # as Marigold counts: a loop in a loop
        for _ in pipeline.progress_bar(torch.arange(3), leave=False, desc="steps"):
            pass
    assert told == [("views", n, 3) for n in (1, 2, 3)] * 2


def test_how_a_pipeline_is_placed() -> None:
    calls: list[tuple[str, object]] = []

    def note(name: str):
        return lambda *given, **more: calls.append((name, more.get("device", given[0] if given else None)))

    names = ("to", "enable_attention_slicing", "enable_model_cpu_offload", "enable_sequential_cpu_offload")
    pipeline = SimpleNamespace(**{name: note(name) for name in names}, vae=SimpleNamespace(enable_slicing=note("vae")))
    device = torch.device("meta")
    for offload, method in (("none", "to"), ("model", names[2]), ("sequential", names[3])):
        calls.clear()
        Runtime(device, torch.float16, RuntimeOptions(offload=offload, slicing=True)).place(pipeline)
        assert calls == [("enable_attention_slicing", None), ("vae", None), (method, device)]


def test_global_numbers_follow_the_seed_and_come_back() -> None:
    runtime = start(RuntimeOptions(device="cpu"))
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    wanted = torch.rand(2), np.random.rand(2)  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    drawn = []
    for _ in range(2):
        with runtime.seeded(9):
            drawn.append((torch.rand(3).tolist(), np.random.rand(3).tolist()))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.rand(2), wanted[0])
    np.testing.assert_array_equal(np.random.rand(2), wanted[1])  # noqa: NPY002
    a, b = runtime.generator(4), runtime.generator(4)
    assert torch.equal(torch.rand(3, generator=a), torch.rand(3, generator=b))


@pytest.mark.parametrize(
    ("device", "dtype", "options", "words"),
    [
        ("cpu", torch.float32, {}, "the memory of cpu is full: --dtype bfloat16, then --slicing needs less"),
        ("cpu", torch.bfloat16, {"slicing": True}, "this machine has too little of it for this model"),
        ("meta", torch.float32, {}, "--dtype float16, then --offload model, then --slicing, then --device cpu"),
        ("meta", torch.float16, {"offload": "model", "slicing": True}, "full: --offload sequential, then --device cpu"),
    ],
)
def test_a_full_memory_gives_advice(device: str, dtype: torch.dtype, options: dict[str, object], words: str) -> None:
    runtime = Runtime(torch.device(device), dtype, RuntimeOptions(**options))  # type: ignore[arg-type]
    failures = [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ]
    for failure in failures:
        with pytest.raises(InputError, match=words), memory_advice(runtime):
            raise failure


def test_other_failures_stay_what_they_are() -> None:
    runtime = start(RuntimeOptions(device="cpu"))
    with pytest.raises(RuntimeError, match="shapes differ"), memory_advice(runtime):
        raise RuntimeError("shapes differ")
    with pytest.raises(NotImplementedError, match="on Mondays"), memory_advice(runtime):
        raise NotImplementedError("on Mondays")


def test_advice_suits_the_model() -> None:
    runtime = Runtime(torch.device("meta"), torch.float16, RuntimeOptions(), offload=False)
    with pytest.raises(InputError, match="full: --slicing, then --device cpu"), memory_advice(runtime):
        raise RuntimeError("CUDA out of memory")
