"""Damage to masks: bites, holes, background taken for object, fringes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from meshopt.evaluate.blobs import blob, depth_inside, softened
from meshopt.evaluate.pictures import Change, Changes, Picture, Task, spread

EDGE = 0.5  # pixels: sigma of the new edges
RIM = 3.0  # pixels of 512 that stay between a hole and the outline


def mask_bite(task: Task) -> Changes:
    """A blob at the rim of one view's object is missing."""
    depth = depth_inside(task.picture.solid)
    return _without(task, task.picture.mask > 0, (depth > 0) & (depth <= 1.5))


def mask_hole(task: Task) -> Changes:
    """A blob inside one view's object is missing."""
    picture = task.picture
    depth = depth_inside(picture.solid)
    inside = depth > RIM * picture.pixel
    radius = np.sqrt(task.strength / 100 * picture.solid.sum() / np.pi)
    starts = inside & (depth >= min(1.3 * radius + RIM * picture.pixel, 0.9 * depth.max()))
    return _without(task, inside, starts)


def _without(task: Task, allowed: Bool[np.ndarray, "H W"], starts: Bool[np.ndarray, "H W"]) -> Changes:
    """The chosen picture without a blob of `allowed` around one of `starts`."""
    picture = task.picture
    region = _region(task, allowed, starts)
    kept = softened((picture.mask > 0) & ~region, EDGE)
    mask = np.where(_near(region), np.minimum(picture.mask, kept), picture.mask)
    return {task.chosen: Change(_masked(picture, mask), _size(picture, region))}


def mask_extra(task: Task) -> Changes:
    """A blob of background at one view's rim is taken for object, its pixels like the object's nearest ones."""
    picture = task.picture
    outside = ~picture.solid
    region = _region(task, outside, outside & (depth_inside(outside) <= 1.5))
    joined = softened(region | picture.solid, EDGE)  # of both, so that no seam stays between them
    mask = np.where(_near(region), np.maximum(picture.mask, joined), picture.mask)
    return {task.chosen: Change(_filled(picture, mask), _size(picture, region))}


def fringe(task: Task) -> Changes:
    """One view's mask too wide, its colours there those of a white background."""
    picture = task.picture
    reach = task.strength * picture.pixel
    away = depth_inside(~picture.solid)
    mask = np.maximum(picture.mask, np.clip(reach + 0.5 - away, 0, 1)).astype(np.float32)
    wide = _filled(picture, mask)
    if wide.rgb is not None and reach > 0:
        own = picture.mask[..., None]
        wide = replace(wide, rgb=(wide.rgb * own + (1 - own)) * (mask > 0)[..., None])
    return {task.chosen: Change(wide, {"pixels": reach})}


def _region(task: Task, allowed: Bool[np.ndarray, "H W"], starts: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """A blob of `strength` percent of the object's pixels."""
    places = np.argwhere(starts)
    pixels = round(float(task.picture.solid.sum()) * task.strength / 100)
    if not len(places) or pixels == 0:
        return np.zeros_like(allowed)
    row, column = places[task.random.integers(len(places))]
    return blob(task.random, allowed, (int(row), int(column)), pixels)


def _near(region: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """The region and two pixels around it."""
    return cv2.dilate(region.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def _size(picture: Picture, region: Bool[np.ndarray, "H W"]) -> dict[str, object]:
    return {"area_percent": 100 * float(region.sum()) / max(float(picture.solid.sum()), 1.0)}


def _masked(picture: Picture, mask: Float[np.ndarray, "H W"]) -> Picture:
    """The picture under a smaller mask."""
    mask = np.where(mask > 0.01, mask, 0).astype(np.float32)
    inside = (mask > 0)[..., None]
    rgb = None if picture.rgb is None else picture.rgb * inside
    return replace(picture, mask=mask, normals=picture.normals * inside, rgb=rgb)


def _filled(picture: Picture, mask: Float32[np.ndarray, "H W"]) -> Picture:
    """The picture under a larger mask, new pixels like the object's nearest ones."""
    normals, rgb = spread(picture)
    old, new = (picture.mask > 0)[..., None], (mask > 0)[..., None]
    colours = None if rgb is None or picture.rgb is None else np.where(old, picture.rgb, rgb) * new
    return replace(picture, mask=mask, normals=np.where(old, picture.normals, normals) * new, rgb=colours)
