"""How far the views' normals are from each other, as they came."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from meshopt.consistency import Checked
from meshopt.consistency.maps import disagreement_maps
from meshopt.consistency.surface import reduced, shared_points
from meshopt.surroundings import shielded
from meshopt.views import ViewSet


def input_disagreement(views: ViewSet, checked: Checked) -> Float[np.ndarray, "V h w"]:
    """Degrees from each pixel's normal, as it came, to what the other views, mended, show there; NaN: none sees it."""
    if checked.surface is None or not checked.corrections:
        return checked.degrees
    with shielded():
        given, mended = reduced(views), reduced(checked.views)
        pictures = replace(mended, normals=given.normals, masks=given.masks)
        return disagreement_maps(pictures, checked.surface, shared_points(mended, checked.surface))
