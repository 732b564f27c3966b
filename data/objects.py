"""The sample objects: shape, colour and place in the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import amphora_kernels, dragon_kernels, robot_kernels

Frame = tuple[float, float, float, float]


@dataclass(frozen=True)
class SampleObject:
    """One object, defined by functions of a point in its own units (+Y up, front +Z).

    `distance` is its signed distance (negative inside); steps of distance / `lipschitz` never cross the
    surface. `colour` takes a point and its unit normal to sRGB in [0, 1]. `frame` = (scale, cx, cy, cz) takes
    an object's point q to the scene: p = scale * (q - c), so that the bounding box is centred and its largest
    side is 1.8. `radius` is that of a sphere about the scene's origin that holds the object with some room:
    perspective cameras stand so far off that the images show it whole.
    """

    name: str
    distance: Callable[..., float]
    colour: Callable[..., tuple[float, float, float]]
    lipschitz: float
    frame: Frame
    radius: float
    faces: int


OBJECTS = {
    sample.name: sample
    for sample in (
        SampleObject(
            name="dragon",
            distance=dragon_kernels.distance,
            colour=dragon_kernels.colour,
            lipschitz=dragon_kernels.LIPSCHITZ,
            frame=(0.99731, 0.06835, -0.02996, -0.04909),
            radius=1.15,
            faces=30_000,
        ),
        SampleObject(
            name="robot",
            distance=robot_kernels.distance,
            colour=robot_kernels.colour,
            lipschitz=robot_kernels.LIPSCHITZ,
            frame=(0.9989, 0.04501, 0.00099, -0.11146),
            radius=1.08,
            faces=30_000,
        ),
        SampleObject(
            name="amphora",
            distance=amphora_kernels.distance,
            colour=amphora_kernels.colour,
            lipschitz=amphora_kernels.LIPSCHITZ,
            frame=(1.00275, 0.0, -0.00253, 0.0),
            radius=1.0,
            faces=30_000,
        ),
    )
}
