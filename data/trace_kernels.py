"""Numba kernels over a whole signed distance function: grids, normals, colours and ray marching.

`distance(x, y, z)` and `colour(x, y, z, nx, ny, nz)` are compiled functions in the object's own units;
`frame` = (scale, cx, cy, cz) takes an object's point q to the scene: p = scale * (q - c). Nothing here is
cached on disk, since numba would not notice a change of the functions passed in.
"""

import math

import numpy as np
from numba import njit

from .sdf_kernels import clamp

NORMAL_STEP = 2e-4  # scene units, of the central differences
HIT = 2e-5  # scene units: nearer than this a ray has met the surface


@njit(nogil=True)
def scene_distance(distance, frame, x, y, z):
    """Signed distance in scene units at a scene point."""
    s = frame[0]
    return s * distance(x / s + frame[1], y / s + frame[2], z / s + frame[3])


@njit(nogil=True)
def scene_gradient(distance, frame, x, y, z):
    """Gradient of the signed distance at a scene point."""
    h = NORMAL_STEP
    gx = scene_distance(distance, frame, x + h, y, z) - scene_distance(distance, frame, x - h, y, z)
    gy = scene_distance(distance, frame, x, y + h, z) - scene_distance(distance, frame, x, y - h, z)
    gz = scene_distance(distance, frame, x, y, z + h) - scene_distance(distance, frame, x, y, z - h)
    return gx / (2 * h), gy / (2 * h), gz / (2 * h)


@njit(nogil=True)
def fill_grid(distance, frame, origin, spacing, values, first, last):
    """Distances at the grid points origin + spacing * (i, j, k), for first <= i < last, into `values`."""
    for i in range(first, last):
        for j in range(values.shape[1]):
            for k in range(values.shape[2]):
                values[i, j, k] = scene_distance(
                    distance, frame, origin + i * spacing, origin + j * spacing, origin + k * spacing
                )


@njit(nogil=True)
def sample(grid, origin, spacing, x, y, z):
    """Trilinear look-up in a cubic grid of distances; clamped at its border."""
    n = grid.shape[0]
    x = clamp((x - origin) / spacing, 0.0, n - 1.001)
    y = clamp((y - origin) / spacing, 0.0, n - 1.001)
    z = clamp((z - origin) / spacing, 0.0, n - 1.001)
    i, j, k = int(x), int(y), int(z)
    x, y, z = x - i, y - j, z - k
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (x if a else 1.0 - x) * (y if b else 1.0 - y) * (z if c else 1.0 - z)
                total += weight * grid[i + a, j + b, k + c]
    return total


@njit(nogil=True)
def shade(grid, origin, spacing, x, y, z, nx, ny, nz):
    """Brightness of a surface point: ambient occlusion and a soft light from above, fixed in the scene."""
    blocked, weight = 0.0, 0.5
    for i in range(1, 6):
        reach = 0.04 * i
        free = sample(grid, origin, spacing, x + nx * reach, y + ny * reach, z + nz * reach)
        blocked += weight * max(reach - free, 0.0) / reach
        weight *= 0.75
    open_sky = 0.30 + 0.70 * math.exp(-0.9 * blocked)
    lit = 0.5 + 0.5 * (0.28 * nx + 0.83 * ny + 0.48 * nz)
    return open_sky * (0.70 + 0.38 * lit)


@njit(nogil=True)
def surface(distance, colour, frame, grid, origin, spacing, x, y, z):
    """Unit normal and sRGB colour in [0, 1] at a scene point on the surface."""
    nx, ny, nz = scene_gradient(distance, frame, x, y, z)
    size = math.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx / size, ny / size, nz / size
    s = frame[0]
    r, g, b = colour(x / s + frame[1], y / s + frame[2], z / s + frame[3], nx, ny, nz)
    light = shade(grid, origin, spacing, x, y, z, nx, ny, nz)
    return nx, ny, nz, clamp(r * light, 0.0, 1.0), clamp(g * light, 0.0, 1.0), clamp(b * light, 0.0, 1.0)


@njit(nogil=True)
def root(distance, frame, ray, high, end, low):
    """Where the distance vanishes along a ray, between 0 (value `high` > 0) and `end` (value `low` <= 0)."""
    x, y, z, dx, dy, dz = ray
    a, b = 0.0, end
    for _ in range(12):
        t = (a * low - b * high) / (low - high)
        d = scene_distance(distance, frame, x + t * dx, y + t * dy, z + t * dz)
        if abs(d) < 0.1 * HIT:
            return t
        if d > 0.0:
            a, high, low = t, d, 0.5 * low
        else:
            b, low, high = t, d, 0.5 * high
    return t


@njit(nogil=True)
def march(distance, frame, grid, origin, spacing, ray, lipschitz):
    """Distance along a ray (ox, oy, oz, dx, dy, dz; unit direction) to the surface, or -1.

    Never oversteps a surface of which |gradient| <= lipschitz; far from it the grid's values bound the step.
    """
    ox, oy, oz, dx, dy, dz = ray
    limit = origin + spacing * (grid.shape[0] - 1)
    t, far = 0.0, 1e300
    for o, d in ((ox, dx), (oy, dy), (oz, dz)):  # the part of the ray inside the grid's cube
        if abs(d) > 1e-12:
            a, b = (-limit - o) / d, (limit - o) / d
            t, far = max(t, min(a, b)), min(far, max(a, b))
        elif abs(o) > limit:
            return -1.0
    slack, n = 0.8661 * spacing, grid.shape[0] - 1
    before, step = -1.0, 0.0  # the distance one step ago, where it was evaluated
    for _ in range(1000):
        if t > far:
            return -1.0
        x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
        i, j, k = round((x - origin) / spacing), round((y - origin) / spacing), round((z - origin) / spacing)
        free = grid[min(max(i, 0), n), min(max(j, 0), n), min(max(k, 0), n)] / lipschitz - slack
        if free < spacing:
            d = scene_distance(distance, frame, x, y, z)
            if d < HIT:
                return t
            if d < 0.006 and before - d > 0.1 * step:
                reach = 1.1 * d * step / (before - d)
                if reach < 0.008:
                    end = scene_distance(distance, frame, x + reach * dx, y + reach * dy, z + reach * dz)
                    if end <= 0.0:
                        return t + root(distance, frame, (x, y, z, dx, dy, dz), d, reach, end)
            before, step, free = d, d / lipschitz, d / lipschitz
        else:
            before = -1.0
        t += free
    return -1.0


@njit(nogil=True)
def render_rows(distance, colour, frame, grid, origin, spacing, lipschitz, camera, out, first, last, supersample):
    """Sums over the samples of the pixels in rows first <= j < last: coverage, normal (world), colour.

    `camera` rows: right, up, back, (half extent or tangent, distance or 0 if orthographic, 0). `out` is
    [H, W, 7].
    """
    height, width = out.shape[0], out.shape[1]
    perspective = camera[3, 1] > 0.0
    o, d = np.zeros(3), np.zeros(3)
    for j in range(first, last):
        for i in range(width):
            for sub in range(supersample * supersample):
                u = (2.0 * (i + (sub % supersample + 0.5) / supersample) / width - 1.0) * camera[3, 0]
                v = (1.0 - 2.0 * (j + (sub // supersample + 0.5) / supersample) / height) * camera[3, 0]
                for a in range(3):
                    across = u * camera[0, a] + v * camera[1, a]
                    if perspective:
                        o[a], d[a] = camera[3, 1] * camera[2, a], across - camera[2, a]
                    else:
                        o[a], d[a] = across + 4.0 * camera[2, a], -camera[2, a]
                size = math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
                ray = (o[0], o[1], o[2], d[0] / size, d[1] / size, d[2] / size)
                t = march(distance, frame, grid, origin, spacing, ray, lipschitz)
                if t < 0.0:
                    continue
                x, y, z = o[0] + t * ray[3], o[1] + t * ray[4], o[2] + t * ray[5]
                values = surface(distance, colour, frame, grid, origin, spacing, x, y, z)
                out[j, i, 0] += 1.0
                for a in range(6):
                    out[j, i, 1 + a] += values[a]


@njit(nogil=True)
def project(distance, frame, points):
    """Newton steps that put points near the surface onto it, in place."""
    for v in range(points.shape[0]):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        for _ in range(8):
            d = scene_distance(distance, frame, x, y, z)
            if abs(d) < 1e-9:
                break
            gx, gy, gz = scene_gradient(distance, frame, x, y, z)
            step = d / max(gx * gx + gy * gy + gz * gz, 0.1)
            x, y, z = x - step * gx, y - step * gy, z - step * gz
        points[v, 0], points[v, 1], points[v, 2] = x, y, z


@njit(nogil=True)
def paint(distance, colour, frame, grid, origin, spacing, points, out):
    """Normals and colours at points on the surface, into `out` [N, 6]."""
    for v in range(points.shape[0]):
        values = surface(distance, colour, frame, grid, origin, spacing, points[v, 0], points[v, 1], points[v, 2])
        for a in range(6):
            out[v, a] = values[a]
