"""What works here, what does not, why, and what mends it: the facts behind `meshopt doctor`, as plain data.

Packages are looked up by their metadata, not imported, but for torch, numba and the rasterisers themselves.
"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from meshopt import __version__, compilation, hardware, packages
from meshopt.hardware import NvidiaDriver, PresentDevice

COMMERCIAL = {"cpu": True, "reference": True, "nvdiffrast": False, "pytorch3d": True, "drtk": True}
INSTALL = {  # none of them is in the package index under its name
    "nvdiffrast": "pip install git+https://github.com/NVlabs/nvdiffrast --no-build-isolation",
    "pytorch3d": 'pip install "git+https://github.com/facebookresearch/pytorch3d.git@stable" --no-build-isolation',
    "drtk": "pip install git+https://github.com/facebookresearch/DRTK.git --no-build-isolation",
}
PURPOSES = {
    "matting": "masks by a neural network, --matting rembg",
    "lpips": "meshopt evaluate --lpips",
    "generate": "meshopt generate, meshopt normals",
    "batch": "meshopt batch with URLs of object storages, and its table as Parquet",
    "ray": "meshopt batch --engine ray, on many machines",
}
CUDA_BUILDS = (((13, 0), "cu130"), ((12, 8), "cu128"), ((12, 0), "cu126"), ((11, 0), "cu118"))  # driver: torch's index
SPARE_EXTRAS = ("dev",)


@dataclass(frozen=True)
class Finding:
    """Something that does not work: what, why in one sentence, and the command that mends it, where one does."""

    what: str
    why: str
    command: str | None = None

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" + (f"; this mends it: {self.command}" if self.command else "")


@dataclass(frozen=True)
class Torch:
    """`build`: CPU, CUDA x.y, ROCm x.y; `driver_cuda`: the newest CUDA that the NVIDIA driver runs."""

    version: str
    build: str
    devices: list[PresentDevice]
    driver_cuda: str | None = None


@dataclass(frozen=True)
class Numba:
    """Where compiled kernels are kept, and the share of them that is there."""

    version: str
    cache: str
    cache_writable: bool
    compiled_share: float


@dataclass(frozen=True)
class Rasteriser:
    """`devices`: for each kind of device None if it works there, else why not; `auto_on`: kinds where auto takes it."""

    name: str
    version: str | None
    licence: str
    commercial_use: bool | None
    devices: dict[str, str | None]
    auto_on: list[str]


@dataclass(frozen=True)
class Extra:
    """An optional feature: its packages with their versions (None: not installed)."""

    name: str
    purpose: str
    packages: dict[str, str | None]


@dataclass(frozen=True)
class Diagnosis:
    """Everything that is known. `obstacle` is what keeps `meshopt reconstruct` from running, if anything does."""

    meshopt: str
    python: str
    platform: str
    cores: int
    memory_gib: float | None
    torch: Torch | None = None
    numba: Numba | None = None
    device: str | None = None
    backend: str | None = None
    rasterisers: list[Rasteriser] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    obstacle: Finding | None = None


def diagnose() -> Diagnosis:
    """Looks at everything; never raises for what is broken."""
    obstacles, findings = _requirements()
    driver = hardware.nvidia_driver()
    torch, problem = _torch(driver)
    obstacles += [] if torch or problem is None else [problem]
    findings += [problem] if torch and problem else []
    numba, problem = _numba()
    obstacles += [] if problem is None else [problem]
    rasterisers: list[Rasteriser] = []
    device, backend = None, None
    if torch is not None:
        rasterisers, lacking = _rasterisers(torch)
        findings += lacking
        device, backend, problem = _choice()
        obstacles += [] if problem is None else [problem]
    extras = _extras()
    findings += [_missing_extra(extra) for extra in extras if None in extra.packages.values()]
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Diagnosis(
        __version__, platform.python_version(), system, hardware.cores(), hardware.memory(),
        torch, numba, device, backend, rasterisers, extras, findings, next(iter(obstacles), None),
    )  # fmt: skip


def as_plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """For JSON, without the user's home folder, so that it can be shown to others."""
    plain: dict[str, Any] = _without_home({"schema": 1, **asdict(diagnosis)})
    return plain


def _without_home(value: Any) -> Any:
    if isinstance(value, str):
        home = os.path.expanduser("~")  # noqa: PTH111 (Path.home raises where there is none)
        return value.replace(home, "~") if len(home) > 1 else value
    if isinstance(value, dict):
        return {key: _without_home(item) for key, item in value.items()}
    return [_without_home(item) for item in value] if isinstance(value, list) else value


def _torch(driver: NvidiaDriver | None) -> tuple[Torch | None, Finding | None]:
    try:
        import torch

        from meshopt import devices
    except Exception as error:  # broken binaries fail in many ways
        return None, Finding("torch", f"its import fails ({_brief(error)})", packages.install_command("torch"))
    cuda, hip = torch.version.cuda, torch.version.hip
    build = f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "CPU"
    found = devices.present()
    runs = None if driver is None or driver.cuda is None else "{}.{}".format(*driver.cuda)
    return Torch(torch.__version__, build, found, runs), _unused_gpu(driver, build, len(found) > 1)


def _unused_gpu(driver: NvidiaDriver | None, build: str, used: bool) -> Finding | None:
    """An NVIDIA driver that this torch does not use."""
    if driver is None or used:
        return None
    if driver.cuda is None:
        why = "the driver is loaded, but libcuda is not found, as in a container that was started without its GPUs"
        return Finding("NVIDIA GPU", why, "docker run --gpus all ...")
    runs = "{}.{}".format(*driver.cuda)
    index = next((name for least, name in CUDA_BUILDS if driver.cuda >= least), CUDA_BUILDS[-1][1])
    command = (
        f"{packages.install_command('torch')} --force-reinstall --index-url https://download.pytorch.org/whl/{index}"
    )
    if build == "CPU":
        return Finding("NVIDIA GPU", f"the driver is there (CUDA {runs}), but torch is a CPU build", command)
    why = (
        f"torch ({build}) finds no device, though there is a driver (CUDA {runs}): too old for it, or no GPU is visible"
    )
    return Finding("NVIDIA GPU", why, command)


def _numba() -> tuple[Numba | None, Finding | None]:
    try:
        import numba

        modules = {name: importlib.import_module(name) for name in kernel_modules()}
        kernels = [k for m in modules.values() for k in vars(m).values() if hasattr(k, "stats")]
    except Exception as error:
        if "no locator available" in str(error):
            why = "no folder for compiled kernels can be written, neither beside the sources nor in the user's cache"
            return None, Finding("numba", why, f"export {compilation.VARIABLE}=FOLDER")
        return None, Finding(
            "numba", f"the kernels cannot be imported ({_brief(error)})", packages.install_command("numba")
        )
    place = Path(next(k.stats.cache_path for k in kernels))
    beside = place.is_relative_to(compilation.PACKAGE)
    share = compilation.compiled_share(modules)
    cache = "beside the sources" if beside else str(place.parent)
    return Numba(numba.__version__, cache, compilation.writable(place), round(share, 3)), None


def kernel_modules() -> list[str]:
    """The modules that hold kernels, but for those that only make the sample data."""
    files = [f.relative_to(compilation.PACKAGE) for f in compilation.PACKAGE.rglob("*_kernels.py")]
    files += [f.relative_to(compilation.PACKAGE) for f in compilation.PACKAGE.rglob("kernels.py")]
    return sorted(".".join(("meshopt", *f.with_suffix("").parts)) for f in files if f.parts[0] != "data")


def _rasterisers(torch: Torch) -> tuple[list[Rasteriser], list[Finding]]:
    """Every rasteriser, and what those that work nowhere lack."""
    from meshopt import raster

    found = {name: _backend(place) for name, place in raster.BACKENDS.items()}
    present = list(dict.fromkeys(d.device.partition(":")[0] for d in torch.devices))
    possible = dict.fromkeys(kind for backend in found.values() for kind in getattr(backend, "devices", ()))
    kinds = present if len(present) > 1 else [*present, *[k for k in possible if k not in present][:1]]
    working = {kind: raster.available(kind) for kind in kinds}
    best = {kind: raster.get("auto", kind) for kind in present if None in working[kind].values()}
    rows, findings = [], []
    for name, backend in found.items():
        reasons = {k: working[k][name] or (None if k in present else "there is no such device here") for k in kinds}
        version = packages.version(name) if name in INSTALL else __version__
        licence = str(getattr(backend, "licence", "unknown"))
        chosen = [kind for kind, taken in best.items() if taken.name == name and taken.rank > 0]
        rows.append(Rasteriser(name, version, licence, COMMERCIAL.get(name), reasons, chosen))
        meant = [kind for kind in present if kind in getattr(backend, "devices", present)]
        if not meant or any(reasons[kind] for kind in meant):
            findings.append(_unusable(name, backend, version, [reasons[kind] for kind in meant]))
    return rows, findings


def _backend(place: str) -> Any:
    """A backend's class, or None where its module cannot be imported."""
    module, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception:  # `raster.available` says what it was
        return None


def _unusable(name: str, backend: Any, version: str | None, reasons: Sequence[str | None]) -> Finding:
    """Why a rasteriser does not work on devices that are here and that it is made for."""
    if not reasons:
        return Finding(name, f"it works on {' and '.join(backend.devices)} devices only, and torch finds none here")
    if version is None and name in INSTALL:
        return Finding(name, "it is not installed", INSTALL[name])
    reason = next(reason for reason in reasons if reason)
    return Finding(name, reason.rstrip("."), INSTALL.get(name))


def _choice() -> tuple[str | None, str | None, Finding | None]:
    """Device and rasteriser of a run that leaves both open."""
    from meshopt import devices
    from meshopt.errors import InputError

    try:
        device, backend = devices.choose("auto", "auto")
    except InputError as error:
        return None, None, Finding("rasterisers", str(error))
    if backend.rank <= 0:
        return str(device), backend.name, Finding("rasterisers", f"only {backend.name} works, which is made for tests")
    return str(device), backend.name, None


def _extras() -> list[Extra]:
    """The optional features that the installed metadata lists."""
    return [
        Extra(
            name,
            PURPOSES.get(name, ""),
            {package: packages.version(package) for package in packages.requirements(name)},
        )
        for name in packages.extras()
        if name not in SPARE_EXTRAS
    ]


def _missing_extra(extra: Extra) -> Finding:
    lacking = [package for package, version in extra.packages.items() if version is None]
    verb = "is" if len(lacking) == 1 else "are"
    purpose = f" ({extra.purpose})" if extra.purpose else ""
    return Finding(
        f"{extra.name}{purpose}",
        f"{', '.join(lacking)} {verb} not installed",
        f'pip install "{packages.PROJECT}[{extra.name}]"',
    )


def _requirements() -> tuple[list[Finding], list[Finding]]:
    """Packages that meshopt needs and that are missing, and those that are too old or too new."""
    missing, wrong = [], []
    for name, wanted in packages.requirements().items():
        version = packages.version(name)
        if version is None:
            missing.append(Finding(name, "it is not installed", packages.install_command(name)))
        elif not packages.in_range(version, wanted):
            why = f"version {version} is installed, expected {wanted}"
            wrong.append(Finding(name, why, packages.install_command(name)))
    return missing, wrong


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
