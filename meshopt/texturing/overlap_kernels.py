"""Triangles in a plane that overlap: all pairs near each other, by square cells."""

import math

from numba import njit

from meshopt.compilation import INNER, KERNEL


@njit(**INNER, error_model="numpy")
def strip(corner, bottom, top):
    """Extent in x of the part of a triangle's border that lies between two heights; empty where low > high."""
    low, high = math.inf, -math.inf
    for k in range(3):
        ax, ay, bx, by = corner[k, 0], corner[k, 1], corner[(k + 1) % 3, 0], corner[(k + 1) % 3, 1]
        if min(ay, by) > top or max(ay, by) < bottom:
            continue
        first, last = 0.0, 1.0
        if ay != by:
            one, two = (bottom - ay) / (by - ay), (top - ay) / (by - ay)
            first, last = max(first, min(one, two)), min(last, max(one, two))
        one, two = ax + first * (bx - ax), ax + last * (bx - ax)
        low, high = min(low, one, two), max(high, one, two)
    return low, high


@njit(**KERNEL, error_model="numpy")
def list_faces(corners, group, side, start, ends, listed):
    """Appends every face to the cells that it touches, at `ends`, which move on; counts only where nothing fits.

    `corners` (F 3 2) are in cells of their group's grid, which is `side[g]` cells wide and high from cell `start[g]`.
    """
    counting = len(listed) == 0
    for f in range(len(corners)):
        corner, most = corners[f], side[group[f]] - 1
        bottom = min(corner[0, 1], corner[1, 1], corner[2, 1])
        top = max(corner[0, 1], corner[1, 1], corner[2, 1])
        for row in range(max(int(bottom - 1e-6), 0), min(int(top + 1e-6), most) + 1):
            low, high = strip(corner, row - 1e-6, row + 1 + 1e-6)
            for column in range(max(int(low - 1e-6), 0), min(int(high + 1e-6), most) + 1):
                cell = start[group[f]] + row * (most + 1) + column
                if not counting:
                    listed[ends[cell]] = f
                ends[cell] += 1


@njit(**INNER, error_model="numpy")
def apart(one, two, slack):
    """Whether a line along an edge of the first triangle parts it from the second, but for a depth of `slack`."""
    for k in range(3):
        x, y = one[k, 0], one[k, 1]
        dx, dy = one[(k + 1) % 3, 0] - x, one[(k + 1) % 3, 1] - y
        third = dx * (one[(k + 2) % 3, 1] - y) - dy * (one[(k + 2) % 3, 0] - x)
        a = dx * (two[0, 1] - y) - dy * (two[0, 0] - x)
        b = dx * (two[1, 1] - y) - dy * (two[1, 0] - x)
        c = dx * (two[2, 1] - y) - dy * (two[2, 0] - x)
        depth = min(max(third, 0.0), max(a, b, c)) - max(min(third, 0.0), min(a, b, c))
        if depth <= slack * math.sqrt(dx * dx + dy * dy):
            return True
    return False


@njit(**KERNEL, error_model="numpy")
def find_overlaps(corners, first, listed, slack, pairs):
    """Pairs of faces that share more than what is `slack` deep, some more than once; gives their number.

    `listed[first[c] : first[c + 1]]` are cell c's faces. Stops where `pairs` is full.
    """
    count = 0
    for cell in range(len(first) - 1):
        for i in range(first[cell], first[cell + 1]):
            one = corners[listed[i]]
            for j in range(i + 1, first[cell + 1]):
                two = corners[listed[j]]
                if apart(one, two, slack[listed[i]]) or apart(two, one, slack[listed[i]]):
                    continue
                if count == len(pairs):
                    return count
                pairs[count, 0], pairs[count, 1] = listed[i], listed[j]
                count += 1
    return count
