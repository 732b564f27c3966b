"""The dragon: a sitting creature with thin wings, horns, claws, a curled tail, and scaly skin."""

import math

import numpy as np
from numba import njit

from .sdf_kernels import (
    beyond,
    bezier,
    box,
    cone,
    ellipsoid,
    length,
    mix,
    noise,
    polygon,
    slab,
    smax,
    smin,
    smoothstep,
    sphere,
    tint,
)

LIPSCHITZ = 1.7
# control points and end radii of curved parts, see sdf_kernels.bezier; paired parts are given for x > 0
HORN = np.array([0.125, 0.50, -0.02, 0.20, 0.80, -0.02, 0.36, 0.86, -0.20, 0.062, 0.013])
ARM = np.array([0.20, -0.13, 0.08, 0.42, -0.27, 0.16, 0.25, -0.36, 0.37, 0.075, 0.055])
TAIL = np.array([0.0, -0.62, -0.18, 0.10, -0.84, -0.66, 0.48, -0.79, -0.42, 0.20, 0.105])
TIP = np.array([0.48, -0.79, -0.42, 0.76, -0.753, -0.253, 0.79, -0.45, -0.12, 0.105, 0.034])
EYE, EYE_RADIUS = (0.150, 0.365, 0.285), 0.102
# wing: hinge, then the outline in the wing's plane: root, wrist, finger tips, and back to the body
HINGE, SWEEP = (0.10, -0.10, -0.20), math.radians(24.0)
OUTLINE = np.array([[0.0, 0.03], [0.19, 0.36], [0.60, 0.60], [0.735, 0.24], [0.60, -0.08], [0.33, -0.24], [0.0, -0.16]])
SPINES = np.array(  # y and z of the base, y and z of the tip, base radius
    [
        [0.55, 0.05, 0.68, -0.01, 0.045],
        [0.50, -0.09, 0.63, -0.20, 0.055],
        [0.38, -0.17, 0.46, -0.32, 0.055],
        [0.22, -0.19, 0.25, -0.33, 0.045],
        [0.07, -0.17, 0.09, -0.31, 0.045],
        [-0.10, -0.19, -0.07, -0.35, 0.052],
        [-0.28, -0.24, -0.23, -0.42, 0.058],
        [-0.46, -0.28, -0.40, -0.47, 0.058],
        [-0.62, -0.31, -0.54, -0.50, 0.050],
    ]
)
SKIN, BACK, BELLY = (0.33, 0.77, 0.58), (0.10, 0.46, 0.52), (1.0, 0.92, 0.66)
IVORY, CORAL, CLAW = (0.97, 0.91, 0.78), (0.97, 0.47, 0.27), (0.30, 0.24, 0.26)


@njit(nogil=True)
def wing_frame(x, y, z):
    """Coordinates in the (mirrored) wing: outwards, up, and across its cambered sheet."""
    px, py, pz = abs(x) - HINGE[0], y - HINGE[1], z - HINGE[2]
    c, s = math.cos(SWEEP), math.sin(SWEEP)
    u, w = c * px - s * pz, s * px + c * pz
    return u, py, w + 0.22 * u * u - 0.05 * py


@njit(nogil=True)
def membrane(u, v, w):
    """Distance to the wing's skin, scalloped between the finger tips."""
    flat = polygon(u, v, OUTLINE)
    for k in range(2, 6):
        ax, ay, bx, by = OUTLINE[k, 0], OUTLINE[k, 1], OUTLINE[k + 1, 0], OUTLINE[k + 1, 1]
        ex, ey = bx - ax, by - ay
        size = math.hypot(ex, ey)
        cx, cy = 0.5 * (ax + bx) - 0.22 * ey / size, 0.5 * (ay + by) + 0.22 * ex / size
        flat = smax(flat, math.sqrt(0.25 * size * size + 0.0484) - math.hypot(u - cx, v - cy), 0.01)
    return slab(flat, w, 0.013, 0.010)


@njit(nogil=True)
def bones(u, v, w):
    """Distance to the wing's arm and fingers."""
    d = cone(u, v, w, 0.0, 0.0, 0.0, 0.055, OUTLINE[1, 0], OUTLINE[1, 1], 0.0, 0.034)
    for k in range(2, 6):
        finger = cone(u, v, w, OUTLINE[1, 0], OUTLINE[1, 1], 0.0, 0.027, OUTLINE[k, 0], OUTLINE[k, 1], 0.0, 0.012)
        d = smin(d, finger, 0.02)
    return smin(d, cone(u, v, w, 0.18, 0.36, 0.0, 0.026, 0.17, 0.47, 0.03, 0.008), 0.02)


@njit(nogil=True)
def spines(x, y, z):
    """Distance to the plates along the back: flattened cones."""
    d = 1e9
    for k in range(len(SPINES)):
        s = SPINES[k]
        d = min(d, 0.55 * cone(x / 0.55, y, z, 0.0, s[0], s[1], s[4], 0.0, s[2], s[3], 0.014))
    return d


@njit(nogil=True)
def claws(x, y, z):
    """Distance to the claws of hands and feet."""
    ax, d = abs(x), 1e9
    for k in range(-1, 2):
        d = min(d, cone(ax, y, z, 0.295 + 0.06 * k, -0.845, 0.37, 0.028, 0.30 + 0.075 * k, -0.882, 0.440, 0.013))
        d = min(
            d,
            cone(ax, y, z, 0.235 + 0.036 * k, -0.375, 0.405, 0.024, 0.228 + 0.044 * k, -0.418, 0.440, 0.013),
        )
    return d


@njit(nogil=True)
def ears(x, y, z):
    """Distance to the fan-shaped ears, hollowed in front."""
    px, py, pz = abs(x) - 0.36, y - 0.36, z + 0.04
    c, s = math.cos(0.45), math.sin(0.45)
    px, py = c * px + s * py, -s * px + c * py
    px, pz = 0.9 * px - 0.436 * pz, 0.436 * px + 0.9 * pz
    leaf = ellipsoid(px, py, pz, 0.19, 0.105, 0.038)
    return smax(leaf, -ellipsoid(px - 0.02, py, pz - 0.045, 0.135, 0.066, 0.045), 0.015)


@njit(nogil=True)
def mouth(x):
    """Height of the mouth's line."""
    return 0.132 + 1.5 * x * x


@njit(nogil=True)
def head(x, y, z):
    """Distance to the head without eyes, horns and ears."""
    ax = abs(x)
    d = ellipsoid(x, y - 0.31, z - 0.07, 0.305, 0.265, 0.275)
    d = smin(d, cone(x, y, z, 0.0, 0.215, 0.22, 0.175, 0.0, 0.195, 0.405, 0.135), 0.09)
    d = smin(d, sphere(ax - 0.062, y - 0.262, z - 0.475, 0.048), 0.05)  # nose
    d = smin(d, sphere(ax - 0.15, y - 0.19, z - 0.20, 0.12), 0.08)  # cheeks
    d = smax(d, -sphere(ax - 0.062, y - 0.287, z - 0.523, 0.021), 0.015)
    off = (y - mouth(x)) / 0.011
    if abs(off) < 5.0 and z > 0.2:
        d += 0.010 * math.exp(-off * off) * smoothstep(0.22, 0.27, z)
    return d


@njit(nogil=True)
def lids(x, y, z):
    """Distance to the upper eyelids."""
    px, py, pz = abs(x) - EYE[0], y - EYE[1], z - EYE[2]
    return smax(sphere(px, py, pz, EYE_RADIUS + 0.016), 0.062 - 0.93 * py + 0.10 * px + 0.35 * pz, 0.012)


@njit(nogil=True)
def eyes(x, y, z):
    """Distance to the eyeballs."""
    return sphere(abs(x) - EYE[0], y - EYE[1], z - EYE[2], EYE_RADIUS)


@njit(nogil=True)
def tail(x, y, z):
    """Distance to the tail without its tip's blade."""
    first, _ = bezier(x, y, z, TAIL)
    second, _ = bezier(x, y, z, TIP)
    return smin(first, second, 0.01)


@njit(nogil=True)
def blade(x, y, z):
    """Distance to the heart-shaped blade at the end of the tail."""
    px, py, pz = x - 0.80, y + 0.40, z + 0.10
    px, pz = 0.8 * px + 0.6 * pz, -0.6 * px + 0.8 * pz
    d = cone(px / 1.0, py, pz / 0.4, 0.0, -0.03, 0.0, 0.072, 0.0, 0.13, 0.0, 0.008)
    return 0.4 * smin(d, cone(abs(px), py, pz / 0.4, 0.04, -0.02, 0.0, 0.05, 0.075, -0.10, 0.0, 0.012), 0.03)


@njit(nogil=True)
def belly(x, y, z):
    """1 on the pale front of body and throat, 0 elsewhere."""
    width = 0.20 - 0.9 * max(y + 0.30, 0.0) ** 2 - 0.35 * max(-0.48 - y, 0.0)
    return smoothstep(0.012, -0.012, abs(x) - width) * smoothstep(0.04, 0.12, z) * smoothstep(0.10, 0.02, y)


@njit(nogil=True)
def torso(x, y, z):
    """Distance to body, legs and arms, with belly plates."""
    ax = abs(x)
    d = cone(x, y, z, 0.0, -0.52, 0.0, 0.335, 0.0, -0.04, 0.03, 0.205)
    plates = belly(x, y, z)
    if plates > 0.0:
        ridge = abs(((y + 1.0) * 11.0) % 1.0 - 0.5) * 2.0
        d += plates * (0.009 * smoothstep(0.7, 1.0, ridge) - 0.006)
    if beyond(ax, y, z, 0.28, -0.70, 0.17, 0.37) < d + 0.06:
        d = smin(d, ellipsoid(ax - 0.265, y + 0.61, z - 0.10, 0.15, 0.20, 0.205), 0.05)
        foot = cone(ax, y, z, 0.28, -0.815, 0.12, 0.085, 0.295, -0.832, 0.30, 0.068)
        for k in range(-1, 2):
            foot = smin(foot, sphere(ax - 0.295 - 0.06 * k, y + 0.848, z - 0.352, 0.046), 0.03)
        d = smin(d, foot, 0.06)
    if beyond(ax, y, z, 0.28, -0.26, 0.22, 0.31) < d + 0.05:
        arm, _ = bezier(ax, y, z, ARM)
        for k in range(-1, 2):
            arm = smin(arm, sphere(ax - 0.238 - 0.036 * k, y + 0.372, z - 0.40, 0.031), 0.025)
        d = smin(d, arm, 0.05)
    return d


@njit(nogil=True)
def scales(x, y, z):
    """Small bumps of the skin, scene-sized height; strongest on the back."""
    bump = math.sin(40.0 * x) * math.sin(40.0 * y + 1.0) * math.sin(40.0 * z)
    return 0.0055 * bump * smoothstep(0.30, -0.10, z)


@njit(nogil=True)
def skin(x, y, z):
    """Distance to everything that is one fleshy piece: torso, head, tail, ears, eyelids."""
    ax, d = abs(x), torso(x, y, z)
    if beyond(x, y, z, 0.0, 0.27, 0.15, 0.42) < d + 0.10:
        d = smin(d, head(x, y, z), 0.10)
    if beyond(x, y, z, 0.35, -0.65, -0.30, 0.62) < d + 0.08:
        d = smin(d, tail(x, y, z), 0.08)
    if beyond(ax, y, z, 0.36, 0.36, -0.04, 0.20) < d + 0.04:
        d = smin(d, ears(x, y, z), 0.04)
    if d < 0.1:
        d -= scales(x, y, z)
    if beyond(ax, y, z, EYE[0], EYE[1], EYE[2], 0.12) < d + 0.02:
        d = smin(d, lids(x, y, z), 0.015)
    return d


@njit(nogil=True)
def teeth(x, y, z):
    """Distance to the two fangs."""
    return cone(abs(x), y, z, 0.078, 0.142, 0.472, 0.020, 0.080, 0.090, 0.482, 0.011)


@njit(nogil=True)
def distance(x, y, z):
    """Signed distance to the dragon."""
    ax, d = abs(x), skin(x, y, z)
    d = smin(d, eyes(x, y, z), 0.008)
    u, v, w = wing_frame(x, y, z)
    if box(u - 0.36, v - 0.18, w, 0.40, 0.45, 0.06, 0.0) < 1.3 * (d + 0.03):
        d = smin(d, smin(membrane(u, v, w), bones(u, v, w), 0.015), 0.03)
    if beyond(ax, y, z, 0.23, 0.68, -0.08, 0.30) < d + 0.02:
        horn, t = bezier(ax, y, z, HORN)
        d = smin(d, horn + 0.0045 * math.cos(60.0 * t) * (1.0 - t), 0.02)
    if box(x, y - 0.03, z + 0.23, 0.06, 0.68, 0.30, 0.0) < d + 0.02:
        d = smin(d, spines(x, y, z), 0.02)
    if beyond(ax, y, z, 0.27, -0.62, 0.40, 0.33) < d + 0.02:
        d = smin(d, claws(x, y, z), 0.012)
    if beyond(x, y, z, 0.80, -0.38, -0.10, 0.20) < d + 0.02:
        d = smin(d, blade(x, y, z), 0.02)
    if beyond(ax, y, z, 0.08, 0.11, 0.48, 0.06) < d + 0.01:
        d = smin(d, teeth(x, y, z), 0.004)
    return d


@njit(nogil=True)
def eye_colour(x, y, z):
    """White, golden iris, slit pupil and a glint."""
    px, py, pz = (abs(x) - EYE[0]) / EYE_RADIUS, (y - EYE[1]) / EYE_RADIUS, (z - EYE[2]) / EYE_RADIUS
    px -= 0.10
    if math.hypot((px + 0.20) if x > 0.0 else (px - 0.20), py - 0.28) < 0.14 and pz > 0.0:
        return (1.15, 1.15, 1.15)
    r = math.hypot(px, py)
    if pz < 0.0 or r > 0.66:
        return (0.98, 0.97, 0.94)
    if math.hypot(px * 1.5, py) < 0.42 or r > 0.60:
        return (0.06, 0.05, 0.07)
    return mix((1.0, 0.80, 0.25), (0.93, 0.45, 0.10), smoothstep(0.3, 0.6, r))


@njit(nogil=True)
def wing_colour(u, v, w, bone):
    """Membrane from wine red at the body to orange at the edge; bones like the skin."""
    if bone < 0.004:
        return mix(BACK, SKIN, smoothstep(0.1, 0.6, u))
    far = math.hypot(u - 0.19, v - 0.36)
    base = mix((0.72, 0.20, 0.27), (1.0, 0.64, 0.30), smoothstep(0.08, 0.52, far))
    return tint(base, 0.90 + 0.2 * noise(7.0 * u, 22.0 * v, 3.0))


@njit(nogil=True)
def skin_colour(x, y, z, ny):
    """Teal, darker and spotted on the back, pale on the belly."""
    back = smoothstep(0.10, -0.35, z - 0.35 * ny)
    spots = smoothstep(0.60, 0.68, noise(13.0 * x + 5.0, 13.0 * y, 13.0 * z))
    base = mix(SKIN, BACK, min(back * 0.75 + 0.55 * spots * smoothstep(0.22, 0.0, z), 1.0))
    base = mix(base, BELLY, belly(x, y, z) if y < 0.06 else 0.0)
    snout = smoothstep(0.006, -0.006, y - mouth(x)) * smoothstep(0.20, 0.28, z) * smoothstep(0.0, 0.06, y)
    base = mix(base, BELLY, snout)
    cheek = smoothstep(0.085, 0.03, length(abs(x) - 0.225, y - 0.215, z - 0.285))
    return mix(base, (0.98, 0.55, 0.45), 0.55 * cheek)


@njit(nogil=True)
def colour(x, y, z, nx, ny, nz):
    """sRGB in [0, 1] of the dragon at a surface point."""
    u, v, w = wing_frame(x, y, z)
    flesh, bone = skin(x, y, z), bones(u, v, w)
    wing = min(membrane(u, v, w), bone)
    horn, t = bezier(abs(x), y, z, HORN)
    eye, plate, claw, leaf = eyes(x, y, z), spines(x, y, z), claws(x, y, z), blade(x, y, z)
    best = min(min(flesh, wing, horn), min(eye, plate, claw), leaf)
    if eye <= best + 1e-4:
        return eye_colour(x, y, z)
    if teeth(x, y, z) < best:
        return (1.0, 0.99, 0.95)
    if wing == best:
        return wing_colour(u, v, w, bone)
    if horn == best:
        return mix(IVORY, (0.62, 0.42, 0.30), smoothstep(0.55, 1.0, t))
    if plate == best or leaf == best:
        return mix(CORAL, (0.80, 0.25, 0.25), smoothstep(0.4, -0.6, y))
    if claw == best:
        return CLAW
    ear = smoothstep(0.008, 0.0, ears(x, y, z)) * smoothstep(0.29, 0.33, abs(x)) * smoothstep(0.2, 0.5, nz)
    if y > 0.15 and ear > 0.0:
        return mix(skin_colour(x, y, z, ny), (0.96, 0.62, 0.48), ear)
    tone = skin_colour(x, y, z, ny)
    return tint(tone, 0.95 + 0.10 * noise(9.0 * x, 9.0 * y, 9.0 * z))
