"""meshopt: multi-view RGB and normal maps in, a clean closed triangle mesh out.

The public API. Names are imported when they are first used, so that `import meshopt` is quick, without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from meshopt.compilation import place_cache

if TYPE_CHECKING:
    from meshopt.ablation import Ablation, ablate
    from meshopt.cameras import Camera
    from meshopt.config import Config, load_config, save_config
    from meshopt.consistency import Checked, ConsistencyReport, Finding, check
    from meshopt.errors import InputError, MeshoptWarning
    from meshopt.io.meshes import load_mesh, save_mesh
    from meshopt.mesh import Mesh
    from meshopt.pipeline import Progress, Reconstruction, reconstruct, texture
    from meshopt.report.record import load_report
    from meshopt.views import ViewSet, load_views

__version__ = "0.1.0"

_HOMES = {
    "Ablation": "meshopt.ablation",
    "Camera": "meshopt.cameras",
    "Checked": "meshopt.consistency",
    "Config": "meshopt.config",
    "ConsistencyReport": "meshopt.consistency",
    "Finding": "meshopt.consistency",
    "InputError": "meshopt.errors",
    "Mesh": "meshopt.mesh",
    "MeshoptWarning": "meshopt.errors",
    "Progress": "meshopt.pipeline",
    "Reconstruction": "meshopt.pipeline",
    "ViewSet": "meshopt.views",
    "ablate": "meshopt.ablation",
    "check": "meshopt.consistency",
    "load_config": "meshopt.config",
    "load_mesh": "meshopt.io.meshes",
    "load_report": "meshopt.report.record",
    "load_views": "meshopt.views",
    "reconstruct": "meshopt.pipeline",
    "save_config": "meshopt.config",
    "save_mesh": "meshopt.io.meshes",
    "texture": "meshopt.pipeline",
}

__all__ = [
    "Ablation",
    "Camera",
    "Checked",
    "Config",
    "ConsistencyReport",
    "Finding",
    "InputError",
    "Mesh",
    "MeshoptWarning",
    "Progress",
    "Reconstruction",
    "ViewSet",
    "__version__",
    "ablate",
    "check",
    "load_config",
    "load_mesh",
    "load_report",
    "load_views",
    "reconstruct",
    "save_config",
    "save_mesh",
    "texture",
]


place_cache()  # before any kernel is imported


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'meshopt' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
