"""What `meshopt doctor` finds out: on this machine, and on machines that are made up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from meshopt import devices, diagnosis, hardware, packages, raster
from meshopt.diagnosis import Finding, as_plain, diagnose
from meshopt.hardware import NvidiaDriver


def found(what: str) -> Finding | None:
    return next((finding for finding in diagnose().findings if finding.what.startswith(what)), None)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The NVIDIA driver of a machine whose torch finds no device."""
    state = SimpleNamespace(value=None)
    monkeypatch.setattr(hardware, "nvidia_driver", lambda: state.value)
    monkeypatch.setattr(devices, "accelerator", lambda: None)
    return state


def add_backend(
    monkeypatch: pytest.MonkeyPatch, name: str, reason: str | None, kinds: tuple[str, ...], rank: int = 5
) -> None:
    class Backend:
        licence = "a licence"

        def unusable(self) -> str | None:
            return reason

        def rasterize(self) -> None: ...

        def interpolate(self) -> None: ...

        def antialias(self) -> None: ...

    Backend.name, Backend.devices, Backend.rank = name, kinds, rank
    module = ModuleType(f"backend_{name}")
    module.Backend = Backend
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(raster.BACKENDS, name, f"{module.__name__}:Backend")


def test_this_machine_is_ready() -> None:
    facts = diagnose()
    assert facts.obstacle is None
    assert (facts.device, facts.backend) == tuple(str(getattr(x, "name", x)) for x in devices.choose("auto", "auto"))
    assert [row.name for row in facts.rasterisers] == list(raster.BACKENDS)
    for kind in ("cpu",):
        assert [row.name for row in facts.rasterisers if kind in row.auto_on] == [raster.get("auto", kind).name]
        working = {row.name: row.devices[kind] for row in facts.rasterisers}
        assert {name for name, why in working.items() if why is None} == {
            name for name, why in raster.available(kind).items() if why is None
        }
    assert facts.torch is not None
    assert facts.torch.version == torch.__version__
    assert facts.numba is not None
    assert 0 <= facts.numba.compiled_share <= 1
    assert facts.cores >= 1


def test_what_does_not_work_has_a_reason() -> None:
    facts = diagnose()
    useless = {row.name for row in facts.rasterisers if all(row.devices.values())}
    lacking = {extra.name for extra in facts.extras if None in extra.packages.values()}
    assert useless | lacking <= {finding.what.split(" ")[0] for finding in facts.findings}
    for finding in facts.findings:
        assert finding.why
        assert "\n" not in str(finding)
        assert not finding.why.endswith(".")
        assert finding.command is None or not finding.command.startswith("pip install drtk")


def test_plain_data_without_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "alice"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "alice"))
    add_backend(monkeypatch, "spoilt", f"{tmp_path / 'alice' / 'lib.so'} is broken", ("cpu",))
    plain = as_plain(diagnose())
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text) == plain
    assert "alice" not in text
    assert "lib.so is broken" in text


@pytest.mark.parametrize(
    ("cuda", "index"), [((13, 1), "cu130"), ((12, 9), "cu128"), ((12, 4), "cu126"), ((11, 7), "cu118")]
)
def test_driver_without_a_cuda_build_of_torch(driver: SimpleNamespace, cuda: tuple[int, int], index: str) -> None:
    driver.value = NvidiaDriver(cuda)
    lacking = found("NVIDIA GPU")
    assert lacking is not None
    assert lacking.command is not None
    assert lacking.command.endswith(f"--index-url https://download.pytorch.org/whl/{index}")
    assert f'"torch{packages.requirements()["torch"]}"' in lacking.command
    assert diagnose().obstacle is None


def test_driver_out_of_reach_and_no_driver(driver: SimpleNamespace) -> None:
    driver.value = NvidiaDriver(None)
    lacking = found("NVIDIA GPU")
    assert lacking is not None
    assert "libcuda" in lacking.why
    driver.value = None
    assert found("NVIDIA GPU") is None


def test_backend_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    add_backend(monkeypatch, "drtk", "it is not there; see its page", ("cpu",))
    lacking = found("drtk")
    assert lacking is not None
    assert lacking.command == "pip install git+https://github.com/facebookresearch/DRTK.git --no-build-isolation"
    (row,) = (row for row in diagnose().rasterisers if row.name == "drtk")
    assert (row.version, row.licence, row.commercial_use) == (None, "a licence", True)


def test_backend_that_is_broken_or_unimportable(monkeypatch: pytest.MonkeyPatch) -> None:
    add_backend(monkeypatch, "mine", "its library is too old", ("cpu",))
    monkeypatch.setitem(raster.BACKENDS, "gone", "no_such_module_at_all:X")
    mine, gone = found("mine"), found("gone")
    assert mine is not None
    assert mine.why == "its library is too old"
    assert gone is not None
    assert "no_such_module_at_all" in gone.why


def test_backend_for_devices_that_are_not_here(monkeypatch: pytest.MonkeyPatch, driver: SimpleNamespace) -> None:
    add_backend(monkeypatch, "far", None, ("xpu",))
    lacking = found("far")
    assert lacking is not None
    assert "xpu" in lacking.why
    assert lacking.command is None


def test_best_backend_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    add_backend(monkeypatch, "better", None, ("cpu",), rank=1000)
    facts = diagnose()
    assert facts.backend == "better"
    assert [row.name for row in facts.rasterisers if "cpu" in row.auto_on] == ["better"]


def test_nothing_but_the_reference_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(raster.BACKENDS) - {"reference"}:
        monkeypatch.delitem(raster.BACKENDS, name)
    obstacle = diagnose().obstacle
    assert obstacle is not None
    assert "only reference works" in obstacle.why


def test_broken_torch_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    facts = diagnose()
    assert facts.torch is None
    assert facts.obstacle is not None
    assert facts.obstacle.what == "torch"
    assert facts.obstacle.command == f'pip install "torch{packages.requirements()["torch"]}"'


def test_kernels_without_a_cache_are_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")

    monkeypatch.setattr(diagnosis, "kernel_modules", refuse)
    facts = diagnose()
    assert facts.numba is None
    assert facts.obstacle is not None
    assert facts.obstacle.command == "export NUMBA_CACHE_DIR=FOLDER"


def test_extras_are_looked_up_and_not_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "rembg.py").write_text("raise SystemExit('imported')")
    (tmp_path / "rembg-2.0.70.dist-info").mkdir()
    (tmp_path / "rembg-2.0.70.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: rembg\nVersion: 2.0.70\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (matting,) = (extra for extra in diagnose().extras if extra.name == "matting")
    assert matting.packages["rembg"] == "2.0.70"


def test_every_kernel_module_is_known() -> None:
    names = diagnosis.kernel_modules()
    assert {"meshopt.raster.kernels", "meshopt.remesh.halfedge_kernels", "meshopt.intersections_kernels"} <= set(names)
    assert not [name for name in names if name.startswith("meshopt.data")]
