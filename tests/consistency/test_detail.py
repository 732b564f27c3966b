"""How fine pictures are: the sigma of a known blur is measured; one blurred view stands out."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from meshopt.config import DetailChecks
from meshopt.consistency.detail import (
    Detail,
    blockiness,
    check_detail,
    detail_findings,
    edge_width,
    measure_detail,
)
from meshopt.consistency.observation import observe
from meshopt.evaluate import corrupt

SIZE = 200


def stripes(sigma: float) -> np.ndarray:
    """Steps between unit normals at slanted lines, under a Gaussian."""
    fine = np.indices((4 * SIZE, 4 * SIZE)).astype(np.float32) / 4
    left = ((fine[1] + 0.3 * fine[0]) % 48 < 24)[..., None]
    image = np.where(left, [0.6, 0.0, 0.8], [-0.6, 0.0, 0.8]).astype(np.float32)
    if sigma > 0:
        image = cv2.GaussianBlur(image, (0, 0), 4 * sigma)
    return cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0])
def test_width_of_blurred_steps(sigma: float) -> None:
    width, error = edge_width(stripes(sigma), np.ones((SIZE, SIZE), bool), 0.12)
    assert width == pytest.approx(sigma, rel=0.15)
    assert error < 0.3


def test_sharp_steps_are_sharp() -> None:
    assert edge_width(stripes(0), np.ones((SIZE, SIZE), bool), 0.12)[0] < 0.8


def test_rounding_to_8_bits_does_not_matter() -> None:
    image = stripes(3.0)
    rounded = np.rint((image * 0.5 + 0.5) * 255).astype(np.float32) / 255 * 2 - 1
    whole = np.ones((SIZE, SIZE), bool)
    assert edge_width(rounded, whole, 0.12)[0] == pytest.approx(edge_width(image, whole, 0.12)[0], abs=0.15)


def test_no_edges_no_width() -> None:
    slope = np.broadcast_to(np.linspace(0, 1, SIZE, dtype=np.float32)[None, :, None], (SIZE, SIZE, 3)).copy()
    assert edge_width(slope, np.ones((SIZE, SIZE), bool), 0.12)[0] is None
    assert edge_width(slope, np.zeros((SIZE, SIZE), bool), 0.12)[0] is None


def test_blocks_of_a_jpeg_show() -> None:
    rows, columns = np.indices((SIZE, SIZE))
    image = np.stack([np.sin(columns / 9), np.cos(rows / 11), np.sin((rows + columns) / 13)], axis=-1) * 0.5 + 0.5
    coded = np.rint(255 * image).astype(np.uint8)
    back = cv2.imdecode(cv2.imencode(".jpg", coded, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR)
    whole = np.ones((SIZE, SIZE), bool)
    assert blockiness((back / 255).astype(np.float32), whole) > 0.15
    assert abs(blockiness(image.astype(np.float32), whole)) < 0.05


@pytest.mark.parametrize("rig", ["unique3d", "wonder3d"])
@pytest.mark.parametrize(("kind", "strength"), [("blur", 12), ("lowres", 24)])
def test_blurred_view_is_found(scenery, rig: str, kind: str, strength: float) -> None:
    views = scenery.figure(rig)
    assert [f for f in check_detail(views, observe(views), DetailChecks()) if f.severity != "note"] == []
    damaged = corrupt(views, kind, strength, seed=0)
    loud = [f for f in check_detail(damaged.views, observe(damaged.views), DetailChecks()) if f.severity != "note"]
    assert loud
    assert {f.views for f in loud} == {damaged.truth.views}


def test_views_without_colours_are_measured(scenery) -> None:
    assert all(one.rgb_sigma is None for one in measure_detail(replace(scenery.figure("unique3d"), rgb=None)))


def test_colours_alone_are_a_note_and_a_blurred_set_too() -> None:
    names = ["a", "b", "c", "d"]
    soft = [Detail(i, 0.5, 0.1, 4.0 if i == 2 else 0.6, 0.0) for i in range(4)]
    assert [(f.code, f.severity, f.views) for f in detail_findings(soft, names, DetailChecks())] == [
        ("colours_blurred", "note", ("c",))
    ]
    all_soft = [Detail(i, 4.0, 0.1, None, 0.0) for i in range(4)]
    (finding,) = detail_findings(all_soft, names, DetailChecks())
    assert (finding.severity, finding.views) == ("note", tuple(names))


def test_jpeg_is_a_note(scenery) -> None:
    coded = corrupt(scenery.figure("wonder3d"), "jpeg", 30, seed=0).views
    assert torch.equal(coded.masks, scenery.figure("wonder3d").masks)
    (finding,) = [f for f in check_detail(coded, observe(coded), DetailChecks()) if f.code == "normals_jpeg"]
    assert finding.severity == "note"
