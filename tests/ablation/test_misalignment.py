"""Angles and overlaps against known turns and shifts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from meshopt.ablation.misalignment import misalignment
from meshopt.ablation.objects import Subject, rendered
from meshopt.cameras import Camera
from meshopt.consistency.corrections import Placed
from meshopt.mesh import Mesh
from meshopt.rigs import load_rig
from meshopt.views import ViewSet


def seen(mesh: Mesh, cameras: tuple[Camera, ...]) -> ViewSet:
    """By these cameras."""
    empty = torch.zeros(len(cameras), 96, 96)
    return rendered(ViewSet(cameras, torch.zeros(*empty.shape, 3), empty), mesh)


def test_equal_views_are_aligned(subject: Subject) -> None:
    found = misalignment(subject.reference, subject.reference)
    assert found.mean_deg == pytest.approx(0, abs=1e-3)
    assert found.silhouette_iou == 1
    assert set(found.views) == {camera.name for camera in subject.reference.cameras}


def test_normals_turned_about_their_own_axes_are_off_by_that_angle(subject: Subject) -> None:
    """Each normal of one view turned by 12 degrees about a direction across it."""
    views = subject.reference
    normals = views.normals.clone()
    turned = normals[2].double()
    across = torch.linalg.cross(turned, torch.tensor([0.3, 0.5, 0.8]).double().expand_as(turned))
    across = torch.nn.functional.normalize(across, dim=-1)
    angle = np.radians(12)
    normals[2] = (np.cos(angle) * turned + np.sin(angle) * across).float()
    found = misalignment(replace(views, normals=normals), views)
    names = [camera.name for camera in views.cameras]
    assert found.views[names[2]] == pytest.approx(12, abs=1e-3)
    assert found.worst == names[2]
    assert max(found.views[name] or 0 for name in names if name != names[2]) < 1e-3
    inside = (views.masks >= 0.5).sum((1, 2)).double()
    assert found.mean_deg == pytest.approx(12 * float(inside[2] / inside.sum()), abs=1e-3)


def test_all_normals_turned_together_are_off_by_less_than_the_angle(subject: Subject) -> None:
    """Normals along the axis stay; so the mean lies below."""
    turn = torch.tensor(Rotation.from_euler("y", 20, degrees=True).as_matrix(), dtype=torch.float32)
    found = misalignment(replace(subject.reference, normals=subject.reference.normals @ turn.T), subject.reference)
    assert 5 < (found.mean_deg or 0) < 20


def test_silhouettes_of_pixels_that_either_has(subject: Subject) -> None:
    views = subject.reference
    masks = views.masks.clone()
    masks[0] = 0
    inside = (views.masks >= 0.5).sum((1, 2))
    found = misalignment(replace(views, masks=masks), views)
    assert found.silhouette_iou == pytest.approx(float(1 - inside[0] / inside.sum()), abs=1e-6)
    assert found.views[views.cameras[0].name] is None


def test_nothing_in_common(subject: Subject) -> None:
    found = misalignment(replace(subject.reference, masks=torch.zeros_like(subject.reference.masks)), subject.reference)
    assert found.mean_deg is None
    assert found.silhouette_iou == 0
    assert found.as_plain("input")["input_deg"] is None


@pytest.mark.parametrize("kind", ["wonder3d", "zero123plus"])
def test_views_that_are_mended_by_their_camera_are_aligned_again(kind: str, egg: Mesh) -> None:
    """A view shown 20 % larger and moved by a tenth of the image, and a camera that says so."""
    cameras = load_rig(kind).cameras()
    reference = seen(egg, cameras)
    placed = Placed(1, 1.2, 0.2, -0.1)
    other = placed.apply(reference).cameras[1]
    larger = seen(egg, (cameras[0], other, *cameras[2:]))
    believed = replace(larger, cameras=cameras)
    name = cameras[1].name
    assert (misalignment(believed, reference).views[name] or 0) > 5
    mended = misalignment(larger, reference)
    assert (mended.views[name] or 0) < 2
    assert mended.silhouette_iou > 0.98 > misalignment(believed, reference).silhouette_iou + 0.02


def test_another_scale_of_the_scene_is_the_same_views(subject: Subject) -> None:
    """The same user's cameras in a scene of half the size, moved."""
    views, offset = subject.reference, np.array([0.3, -0.2, 0.1])
    cameras = tuple(camera.transformed(0.5, offset) for camera in views.cameras)
    other = replace(views, cameras=cameras, scale=2.0, offset=tuple(offset.tolist()))
    found = misalignment(other, views)
    assert found.mean_deg == pytest.approx(0, abs=1e-3)
    assert found.silhouette_iou == 1
