"""What a model is to meshopt: a card that describes it, and how it is loaded, run and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from meshopt.frames import Frame
from meshopt.generate.preparation import Framing
from meshopt.rigs import Rig, load_rig

if TYPE_CHECKING:
    from meshopt.generate.runtime import Runtime
    from meshopt.generate.weights import Weights

OnStep = Callable[[str, int, int], None]  # what is being done, steps done, steps in all


@dataclass(frozen=True)
class Part:
    """One set of a model's weights.

    `hub`: the repository that its authors publish it in (spaces/OWNER/NAME for a space's), and `inside`, the folder
    there. `folder`: where it lies in a local folder of the whole model, beside or inside the first part. `licence` of
    the weights, and `source`, where that is said. `pickled`: its authors publish it as pickles. `files`: weights that
    lie beside its components.
    """

    name: str
    hub: str
    licence: str
    source: str
    folder: str = ""
    pickled: bool = False
    inside: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A model, described without loading anything.

    `kinds`: the class names in its model_index.json. `code`: a hub repository whose pipeline.py has to run (None: no
    code but diffusers' own). `steps` and `guidance` are its authors'. `offload`: its parts may wait in main memory.
    `normals`: it makes normals. `prompt`: a text may say what it draws.
    `usage`: the published program that the adapter was reviewed against. `components`: those in its model_index.json
    that tell it from other models of its class.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    kinds: tuple[str, ...]
    steps: int
    guidance: float
    usage: str
    code: str | None = None
    offload: bool = True
    normals: bool = True
    prompt: bool = False
    components: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What is asked of a model: the seed of its noise, its denoising steps, how strongly the picture guides it, and
    what a text says of it."""

    seed: int
    steps: int
    guidance: float
    prompt: str = ""


@dataclass(frozen=True, eq=False)
class GeneratedViews:
    """What a model made, in its rig's order.

    `rgb` is sRGB in [0, 1], before the model's own background where there is no `alpha` (coverage in [0, 1]).
    `normals` are vectors as stored, components in [-1, 1], in `frame` with OpenGL's axes (x right, y up, z towards the
    viewer); None from a model of colours alone.
    """

    rig: Rig
    rgb: Float[np.ndarray, "V H W 3"]
    normals: Float[np.ndarray, "V H W 3"] | None
    frame: Frame
    alpha: Float[np.ndarray, "V H W"] | None = None


@runtime_checkable
class ViewModel(Protocol):
    """A model that draws several views of the object in one picture, or of what a text says.

    An adapter is one file in `meshopt/generate/models/`; its methods are called in this order: `load`, `run`, `decode`.
    """

    @property
    def card(self) -> Card:
        """The model."""

    @property
    def framing(self) -> Framing | None:
        """How the model expects its picture; None from a model that draws what a text says."""

    @property
    def rig(self) -> str:
        """The name of its cameras."""

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The model's pipeline, on its device; `weights` are folders on this machine."""

    def run(self, pipeline: Any, picture: Any, request: Request, runtime: Runtime) -> Any:
        """What the pipeline gives; `picture` is a `Framed`, None where there is no `framing`."""

    def decode(self, output: Any) -> GeneratedViews:
        """The views in what the pipeline gave."""


@runtime_checkable
class NormalModel(Protocol):
    """A model that estimates the normals of one picture. An adapter is one file in `meshopt/generate/estimators/`."""

    @property
    def card(self) -> Card:
        """The model."""

    def load(self, weights: Weights, runtime: Runtime) -> Any:
        """The model's pipeline, on its device; `weights` are folders on this machine."""

    def run(
        self, pipeline: Any, picture: Float[np.ndarray, "H W 3"], request: Request, runtime: Runtime
    ) -> Float[np.ndarray, "H W 3"]:
        """Normals of an sRGB picture in [0, 1], in the camera's frame with OpenGL's axes."""


def rig_of(model: ViewModel) -> Rig:
    """The cameras of a model's views."""
    return load_rig(model.rig)
