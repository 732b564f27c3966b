"""Where a reconstruction is, kept in a file from which it goes on after whatever ended it.

One safetensors file: arrays, and as its metadata a record in JSON and a digest of both. No pickles.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from meshopt import __version__
from meshopt.config import Config
from meshopt.consistency.corrections import Turned
from meshopt.errors import InputError
from meshopt.io.files import write_file
from meshopt.mesh import Mesh
from meshopt.optimize import LoopState
from meshopt.remesh import Remeshed
from meshopt.remesh.state import links_of, relinked
from meshopt.views import ViewSet

CHECKPOINT = "checkpoint.safetensors"  # in the folder of the result
FORMAT = "meshopt checkpoint 1"


class UnderWay(BaseModel):
    """A stage of the optimiser that is not done: seconds spent on it, and the losses of its steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    stage: str
    seconds: float
    curves: dict[str, list[float]]


class Record(BaseModel):
    """What a run has noted so far: plain data.

    `turned`: view and matrix of each turn of normals that a stage has made; `area`: of the initial surface.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    stages: list[dict[str, Any]]
    notes: list[str]
    curves: dict[str, dict[str, list[float]]]
    details: dict[str, dict[str, Any]]
    turned: list[tuple[int, list[list[float]]]]
    area: float
    under_way: UnderWay | None = None


@dataclass(frozen=True)
class Checkpoint:
    """All that the rest of a reconstruction depends on, beside its views and settings, which `fingerprint` stands for.

    `mesh` is the result of the last stage that is done, `surface` where the one under way is (see `LoopState`), and
    `detail` the mesh before its faces were reduced.
    """

    fingerprint: str
    record: Record
    mesh: Mesh
    detail: Mesh | None = None
    surface: Remeshed | None = None

    @property
    def loop(self) -> LoopState | None:
        """Where the optimiser's stage under way is."""
        if self.surface is None or self.record.under_way is None:
            return None
        return LoopState(self.surface, self.record.under_way.curves)

    @property
    def line(self) -> str:
        """Where it is, for people."""
        if self.loop is not None and self.record.under_way is not None:
            return f"{self.record.under_way.stage}, step {self.loop.step}"
        return f"after {self.record.stages[-1]['name']}" if self.record.stages else "at the start"

    @property
    def turned(self) -> list[Turned]:
        """The turns of normals that its stages have made."""
        return [Turned(view, np.array(matrix)) for view, matrix in self.record.turned]

    def to(self, device: torch.device | str) -> Checkpoint:
        """The same on another device."""
        detail = None if self.detail is None else self.detail.to(device)
        surface = None if self.surface is None else _moved(self.surface, device)
        return replace(self, mesh=self.mesh.to(device), detail=detail, surface=surface)

    def save(self, path: str | Path) -> None:
        """Writes it, whole or not at all; the folder must exist. Raises OSError."""
        from safetensors.numpy import save

        arrays = self._arrays()
        record = json.dumps(self.record.model_dump())
        metadata = {"format": FORMAT, "fingerprint": self.fingerprint, "record": record}
        write_file(Path(path), save(arrays, metadata | {"digest": _digest(arrays, self.fingerprint, record)}))

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = _prefixed("mesh", _mesh_tensors(self.mesh))
        if self.detail is not None:
            arrays |= _prefixed("detail", _mesh_tensors(self.detail))
        if self.surface is not None:
            arrays |= _prefixed("surface", _surface_tensors(self.surface))
            assert self.surface.links is not None  # as after every pass
            arrays |= {f"links.{name}": getattr(self.surface.links, name) for name in ("twin", "out", "valence")}
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


class CheckpointFile:
    """The checkpoint in the folder of a result, which is made with the first one."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / CHECKPOINT

    def save(self, checkpoint: Checkpoint) -> None:
        """Keeps this one, in place of the last. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            checkpoint.save(self.path)
        except OSError:
            with contextlib.suppress(OSError):  # it holds something
                self.path.parent.rmdir()
            raise

    def load(self) -> Checkpoint | None:
        """The one that was kept, if any. Raises InputError where it cannot be read."""
        return load_checkpoint(self.path) if self.path.exists() else None

    def remove(self) -> None:
        """Forgets it; its folder goes, too, where that is empty."""
        if self.path.exists():
            self.path.unlink()
            with contextlib.suppress(OSError):  # it holds something
                self.path.parent.rmdir()


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Reads what `Checkpoint.save` wrote, onto the CPU. Raises InputError where the file is anything else."""
    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise InputError(f"{path}: is a pipe or a device, expected a checkpoint of meshopt")
    try:
        return _read(Path(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # safetensors has an exception of its own
        what = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: is no checkpoint of this version of meshopt, or damaged ({what})") from None


def fingerprint(views: ViewSet, config: Config, given: Mesh | None, computes: str) -> str:
    """A hash of all that a result depends on: version, settings, views, the mesh to start from, and what computes.

    What the views say of where they come from is no part of it: they may have been moved.
    """
    settings = config.model_dump(mode="json")
    settings["output"].pop("checkpoint_steps")
    cameras = [asdict(camera) | {"world_to_camera": camera.world_to_camera.tolist()} for camera in views.cameras]
    facts = [__version__, torch.__version__, computes, settings, cameras, views.scale, views.offset]
    arrays = {"normals": views.normals, "masks": views.masks}
    arrays |= {} if views.rgb is None else {"rgb": views.rgb}
    arrays |= {} if given is None else {f"given {name}": tensor for name, tensor in _mesh_tensors(given).items()}
    return _digest({name: _array(tensor) for name, tensor in arrays.items()}, json.dumps(facts, sort_keys=True))


def _read(path: Path) -> Checkpoint:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, expected {FORMAT!r}")
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if metadata["digest"] != _digest(arrays, metadata["fingerprint"], metadata["record"]):
        raise ValueError("its digest is that of other contents")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    record = Record.model_validate(json.loads(metadata["record"]))
    _check_record(record)
    mesh, detail = _mesh(tensors, "mesh"), _mesh(tensors, "detail") if "detail.faces" in tensors else None
    surface = _surface(tensors, arrays) if "surface.faces" in tensors else None
    return Checkpoint(metadata["fingerprint"], record, mesh, detail, surface)


def _check_record(record: Record) -> None:
    """Raises ValueError for values that no run notes."""
    if not all(isinstance(stage.get("name"), str) for stage in record.stages):
        raise ValueError("a stage of its record has no name")
    turns = [np.array(matrix) for _, matrix in record.turned]
    if any(turn.shape != (3, 3) or not np.isfinite(turn).all() for turn in turns):
        raise ValueError("a turn in its record is no 3 x 3 matrix")
    curves = {} if record.under_way is None else record.under_way.curves
    if curves and ("normal" not in curves or len({len(values) for values in curves.values()}) > 1):
        raise ValueError("the curves of its record are not those of one stage")


def _digest(arrays: Mapping[str, np.ndarray], *texts: str) -> str:
    found = hashlib.blake2b(digest_size=16)
    for text in texts:
        found.update(f"{len(text)} {text}".encode())
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": _array(tensor) for name, tensor in tensors.items()}


def _mesh_tensors(mesh: Mesh) -> dict[str, Tensor]:
    colors = {} if mesh.colors is None else {"colors": mesh.colors}
    return {"vertices": mesh.vertices, "faces": mesh.faces, **colors}


def _mesh(tensors: Mapping[str, Tensor], prefix: str) -> Mesh:
    mesh = Mesh(tensors[f"{prefix}.vertices"], tensors[f"{prefix}.faces"], tensors.get(f"{prefix}.colors"))
    count = len(mesh.vertices)
    points, faces = mesh.vertices, mesh.faces
    if points.dtype != torch.float32 or points.shape[1:] != (3,) or faces.shape[1:] != (3,) or faces.ndim != 2:
        raise ValueError(f"{prefix} has arrays of {tuple(points.shape)} and {tuple(faces.shape)}, expected [N, 3]")
    if faces.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"{prefix} has faces of {faces.dtype}")
    if mesh.colors is not None and mesh.colors.shape != points.shape:
        raise ValueError(f"{prefix} has not as many colours as vertices")
    if not all(bool(torch.isfinite(values).all()) for values in (points, mesh.colors) if values is not None):
        raise ValueError(f"{prefix} has values that are not finite")
    if len(mesh.faces) and not (int(mesh.faces.min()) >= 0 and int(mesh.faces.max()) < count):
        raise ValueError(f"{prefix} has faces without vertices")
    return mesh


def _surface_tensors(surface: Remeshed) -> dict[str, Tensor]:
    assert surface.attributes is not None  # the loop's
    return {
        "vertices": surface.vertices,
        "faces": surface.faces,
        "lengths": surface.target_length,
        "attributes": surface.attributes,
    }


def _surface(tensors: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]) -> Remeshed:
    mesh = _mesh(tensors, "surface")
    links = links_of(mesh.faces, *(arrays[f"links.{name}"] for name in ("twin", "out", "valence")))
    lengths, attributes = tensors["surface.lengths"], tensors["surface.attributes"]
    if not len(mesh.vertices) == len(lengths) == len(attributes) == len(links.out):
        raise ValueError("its surface has not as many values as vertices")
    if lengths.ndim != 1 or attributes.ndim != 2 or attributes.shape[1] not in (5, 9):
        raise ValueError(f"its surface has {tuple(lengths.shape)} lengths and {tuple(attributes.shape)} attributes")
    if not bool(torch.isfinite(attributes).all()) or not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
        raise ValueError("its surface has values that are not finite, or lengths that are not positive")
    return Remeshed(mesh.vertices, mesh.faces, lengths, attributes, links=links)


def _moved(surface: Remeshed, device: torch.device | str) -> Remeshed:
    faces = surface.faces.to(device)
    return replace(
        surface,
        vertices=surface.vertices.to(device),
        faces=faces,
        target_length=surface.target_length.to(device),
        attributes=None if surface.attributes is None else surface.attributes.to(device),
        links=None if surface.links is None else relinked(surface.links, faces),
    )
