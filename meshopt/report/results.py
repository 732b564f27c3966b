"""What is written of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from meshopt.config import Config
from meshopt.consistency import Checked
from meshopt.mesh import Mesh
from meshopt.report.preview import Pictures
from meshopt.texturing import Textured
from meshopt.views import ViewSet


@runtime_checkable
class Result(Protocol):
    """What a reconstruction gives; meshopt.pipeline.Reconstruction is one."""

    @property
    def mesh(self) -> Mesh: ...
    @property
    def views(self) -> ViewSet: ...
    @property
    def config(self) -> Config: ...
    @property
    def report(self) -> dict[str, Any]: ...
    @property
    def renders(self) -> Pictures: ...
    @property
    def curves(self) -> Mapping[str, Mapping[str, Sequence[float]]]: ...
    @property
    def textured(self) -> Textured | None: ...
    @property
    def checked(self) -> Checked | None: ...
