"""Outlines of regions in a picture, as SVG that lies over it."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool

from meshopt.report.page.markup import Html, element


def outline(region: Bool[np.ndarray, "h w"], label: str) -> Html:
    """The borders of a region, twice: a dark line under a bright one, to be seen on any picture."""
    height, width = region.shape
    contours, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    path = "".join(f"M{'L'.join(f'{x} {y}' for x, y in contour[:, 0])}Z" for contour in contours)
    lines = [element("path", d=path, class_=kind) for kind in ("under", "over")]
    return element(
        "svg",
        element("title", label),
        lines,
        viewBox=f"-0.5 -0.5 {width} {height}",
        preserveAspectRatio="none",
        class_="flags",
        role="img",
    )
