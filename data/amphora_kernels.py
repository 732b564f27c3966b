"""The amphora: a two-handled Greek vase (genus 2) with flutes, reliefs, an engraved key band."""

import math

import numpy as np
from numba import njit

from .sdf_kernels import bezier, box, cone, disc, ellipsoid, mix, noise, ring, smax, smin, smoothstep, tint

LIPSCHITZ = 1.6
HANDLE = np.array([0.14, 0.71, 0.0, 0.97, 0.80, 0.0, 0.36, 0.24, 0.0, 0.036, 0.034])
KEY = np.array(
    [
        [c == "#" for c in row]
        for row in ("#######.", "#.....#.", "#.###.#.", "#.#...#.", "#.#####.", "#.......", "########")
    ],
    dtype=np.float64,
)
KEY_LOW, KEY_HIGH, KEY_CELLS = -0.285, -0.145, 16  # the band's ends in y, and how often the key repeats
GROOVES = np.array([-0.315, -0.115, 0.335, 0.455, 0.775])
CLAY, GLAZE, SLIP = (0.90, 0.50, 0.26), (0.17, 0.14, 0.13), (0.98, 0.90, 0.73)


@njit(nogil=True)
def key(x, y, z):
    """How much of the engraved key pattern is at a point: 0 outside, 1 on the line, bilinear between."""
    rows, columns = KEY.shape
    margin = 0.5 * (KEY_HIGH - KEY_LOW) / rows
    if not KEY_LOW - margin < y < KEY_HIGH + margin:
        return 0.0
    u = (math.atan2(x, z) / (2.0 * math.pi) + 0.5) * KEY_CELLS * columns - 0.5
    v = (KEY_HIGH - y) / (KEY_HIGH - KEY_LOW) * rows - 0.5
    i, j = math.floor(u), math.floor(v)
    total = 0.0
    for a in range(2):
        for b in range(2):
            row = int(j) + b
            if 0 <= row < rows:
                weight = (u - i if a else 1.0 - u + i) * (v - j if b else 1.0 - v + j)
                total += weight * KEY[row, (int(i) + a) % columns]
    return smoothstep(0.05, 0.95, total)


@njit(nogil=True)
def emblem(x, y, z):
    """The raised figure: a rayed sun in front, a three-armed spiral behind; 0 outside, 1 on it."""
    v = y - 0.115
    r, angle = math.hypot(x, v), math.atan2(v, x)
    if r > 0.25:
        return 0.0
    if z > 0.0:
        ray = abs((angle * 12.0 / math.pi) % 2.0 - 1.0)  # 0 along a ray, 1 between two
        rays = smoothstep(0.025, -0.02, r - 0.19 + 0.10 * ray) * smoothstep(0.072, 0.098, r)
        return max(rays, smoothstep(0.065, 0.048, r))
    wave = math.cos(3.0 * angle - 26.0 * r)
    return smoothstep(-0.25, 0.35, wave) * smoothstep(0.2, 0.18, r) * smoothstep(0.0, 0.04, r)


@njit(nogil=True)
def handles(x, y, z):
    """Distance to the two double-stranded handles."""
    near, _ = bezier(abs(x), y, abs(z) - 0.026, HANDLE)
    far, _ = bezier(abs(x), y, abs(z) + 0.026, HANDLE)
    return smin(near, far, 0.02)


@njit(nogil=True)
def vessel(x, y, z):
    """Distance to the vase without handles."""
    across = math.hypot(x, z)
    body = ellipsoid(x, y - 0.13, z, 0.475, 0.36, 0.475)
    body = smin(body, cone(x, y, z, 0.0, 0.10, 0.0, 0.40, 0.0, -0.70, 0.0, 0.105), 0.20)
    neck = smin(cone(x, y, z, 0.0, 0.35, 0.0, 0.20, 0.0, 0.78, 0.0, 0.165), body, 0.10)
    lip = smin(disc(y - 0.84, across, 0.055, 0.245, 0.035), neck, 0.05)
    foot = smin(disc(y + 0.845, across, 0.055, 0.265, 0.03), lip, 0.10)
    whole = smin(foot, ring(y + 0.745, across, 0.14, 0.022), 0.02)
    whole = smax(whole, -ellipsoid(x, y - 0.95, z, 0.185, 0.24, 0.185), 0.03)
    if whole > 0.1:
        return whole - 0.03  # the detail below reaches less far
    flutes = smoothstep(-0.70, -0.62, y) * smoothstep(-0.34, -0.40, y)
    if flutes > 0.0:
        whole -= 0.010 * flutes * math.cos(20.0 * math.atan2(x, z))
    for groove in GROOVES:
        off = (y - groove) / 0.010
        if abs(off) < 6.0:
            whole += 0.007 * math.exp(-off * off)
    return whole + 0.007 * key(x, y, z) - 0.010 * emblem(x, y, z)


@njit(nogil=True)
def distance(x, y, z):
    """Signed distance to the amphora."""
    d = vessel(x, y, z)
    if box(abs(x) - 0.38, y - 0.48, z, 0.26, 0.26, 0.07, 0.0) > d + 0.04:
        return d
    return smin(d, handles(x, y, z), 0.04)


@njit(nogil=True)
def bands(x, y, z):
    """The painted ornament of the vessel, band by band from the lip down."""
    angle = math.atan2(x, z) / (2.0 * math.pi)
    if y > 0.775 or y < -0.70:
        return CLAY if abs(abs(y + 0.005) - 0.84) < 0.012 else GLAZE
    if y > 0.465:  # zigzag round the neck
        wave = abs((angle * 28.0) % 2.0 - 1.0)
        height = (y - 0.465) / 0.31 * 2.6
        return GLAZE if (height - wave) % 0.9 < 0.45 else CLAY
    if y > 0.335:  # tongues on the shoulder
        return SLIP if (angle * 44.0) % 1.0 < 0.5 else (0.55, 0.16, 0.10)
    if y > -0.115:
        panel = smoothstep(0.335, 0.325, abs(x)) * smoothstep(-0.085, -0.075, y) * smoothstep(0.31, 0.30, y)
        dots = smoothstep(0.012, 0.008, abs(abs(x) - 0.36)) * (1.0 if (y * 30.0) % 1.0 < 0.5 else 0.0)
        ground = mix(mix(GLAZE, SLIP, dots), CLAY, panel)
        return mix(ground, GLAZE if z > 0.0 else (0.50, 0.13, 0.09), emblem(x, y, z) * panel)
    if y > -0.315:
        return mix(GLAZE, SLIP, key(x, y, z))
    if y > -0.36:
        return CLAY if (angle * 90.0) % 1.0 < 0.5 else GLAZE
    ray = abs((angle * 20.0 + 0.5) % 1.0 - 0.5) * 2.0  # rays that climb the flutes from the foot
    return mix(CLAY, GLAZE, smoothstep(0.03, -0.03, ray - (-0.36 - y) / 0.36))


@njit(nogil=True)
def colour(x, y, z, nx, ny, nz):
    """sRGB in [0, 1] of the amphora at a surface point."""
    base = bands(x, y, z)
    if handles(x, y, z) < vessel(x, y, z):
        base = (0.56, 0.20, 0.13)
    elif y > 0.74 and math.hypot(x, z) < 0.19 and ny * (y - 0.6) < 0.97 * abs(ny) and nx * x + nz * z < 0.0:
        base = tint(CLAY, 0.85)
    worn = 0.7 * noise(7.0 * x, 7.0 * y, 7.0 * z) + 0.3 * noise(19.0 * x, 19.0 * y, 19.0 * z)
    return tint(base, 0.88 + 0.24 * worn)
