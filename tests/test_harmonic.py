"""Graphs of surfaces, and values filled in over them."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from meshopt.harmonic import harmonic, links, unreached


@pytest.mark.parametrize("size", [0, 5])
def test_links_are_the_edges_once_each_way(size: int) -> None:
    """Of an open surface, too, whose border edges have one face; more points than are used have none."""
    sheet = trimesh.creation.icosphere(subdivisions=1)
    faces = sheet.faces[sheet.triangles_center[:, 2] > 0]
    found = links(faces, len(sheet.vertices) + size)
    edges = {tuple(sorted(e)) for f in faces.tolist() for e in ((f[0], f[1]), (f[1], f[2]), (f[2], f[0]))}
    i, j = found.nonzero()
    assert {(a, b) for a, b in zip(i.tolist(), j.tolist(), strict=True) if a < b} == edges
    assert len(i) == 2 * len(edges)
    assert (found.data == 1).all()


def test_unreached_are_parts_with_nothing_known() -> None:
    faces = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    known = np.zeros(10, bool)
    known[[4, 6, 7]] = True
    assert unreached(known, links(faces, 10)).tolist() == [True] * 3 + [False] * 6 + [True]


def test_no_value_is_unknown() -> None:
    values = np.arange(6.0).reshape(3, 2).astype(np.float32)
    assert np.array_equal(harmonic(values, np.ones(3, bool), links(np.array([[0, 1, 2]]), 3)), values)
