"""The robot: a tin toy: hard edges, slots, screws, ribbed hoses, open claws, a wind-up key (genus 2)."""

import math

import numpy as np
from numba import njit

from .sdf_kernels import (
    beyond,
    bezier,
    box,
    cone,
    disc,
    mix,
    noise,
    ring,
    smax,
    smin,
    smoothstep,
    sphere,
    tint,
)

LIPSCHITZ = 1.8
# hoses of the raised (x > 0) and the hanging arm, see sdf_kernels.bezier
RAISED = np.array([0.34, 0.07, 0.0, 0.67, 0.03, 0.02, 0.60, 0.36, 0.07, 0.055, 0.05])
HANGING = np.array([-0.34, 0.07, 0.0, -0.60, 0.06, 0.0, -0.515, -0.26, 0.11, 0.055, 0.05])
SCREWS = np.array([[-0.252, 0.115, 0.5], [0.252, 0.115, 1.3], [-0.252, -0.245, 2.2], [0.252, -0.245, 0.1]])
PAINT, LIGHT, CREAM = (0.22, 0.50, 0.80), (0.42, 0.68, 0.90), (0.98, 0.94, 0.84)
METAL, DARK, YELLOW, RED = (0.74, 0.76, 0.79), (0.20, 0.21, 0.25), (1.0, 0.80, 0.22), (0.90, 0.25, 0.20)


@njit(nogil=True)
def screws(x, y, z):
    """Distance to the four slotted screw heads on the chest."""
    d = 1e9
    for k in range(len(SCREWS)):
        px, py = x - SCREWS[k, 0], y - SCREWS[k, 1]
        head = disc(z - 0.21, math.hypot(px, py), 0.014, 0.027, 0.006)
        c, s = math.cos(SCREWS[k, 2]), math.sin(SCREWS[k, 2])
        slot = box(c * px + s * py, -s * px + c * py, z - 0.226, 0.04, 0.006, 0.010, 0.001)
        d = min(d, smax(head, -slot, 0.004))
    return d


@njit(nogil=True)
def torso(x, y, z):
    """Distance to the body's shell with its recessed panel, slots and belt groove."""
    d = box(x, y + 0.13, z, 0.30, 0.30, 0.21, 0.05)
    if d > 0.06:
        return d
    d = smax(d, -box(x, y + 0.065, z - 0.22, 0.21, 0.155, 0.035, 0.012), 0.008)
    for k in range(4):
        d = smax(d, -box(x - 0.10, y + 0.055 + 0.042 * k, z - 0.19, 0.08, 0.011, 0.04, 0.006), 0.006)
    for k in range(5):  # vents in the back
        vent = box(abs(x) - 0.15, y + 0.05 + 0.055 * k, z + 0.21, 0.085, 0.014, 0.05, 0.010)
        d = smax(d, -vent, 0.008)
    off = (y + 0.325) / 0.010
    if abs(off) < 5.0:
        d += 0.009 * math.exp(-off * off)
    return d


@njit(nogil=True)
def head(x, y, z):
    """Distance to the head's shell with its mouth grille."""
    d = box(x, y - 0.45, z, 0.235, 0.19, 0.19, 0.06)
    if d > 0.06:
        return d
    tooth = abs(((x + 0.5) / 0.036) % 1.0 - 0.5) * 0.036 - 0.007  # bars left standing in the mouth
    hole = smax(box(x, y - 0.335, z - 0.19, 0.126, 0.036, 0.035, 0.012), 0.011 - tooth - 0.007, 0.005)
    d = smax(d, -hole, 0.006)
    off = (y - 0.575) / 0.008
    if abs(off) < 5.0:
        d += 0.006 * math.exp(-off * off)
    return d


@njit(nogil=True)
def lens(x, y, z):
    """Distance to the glass of the eyes."""
    px, py = abs(x) - 0.105, y - 0.475
    return sphere(px, py, z - 0.165, 0.072)


@njit(nogil=True)
def dials(x, y, z):
    """Distance to the gauge's face and its bezel."""
    across = math.hypot(x + 0.10, y + 0.035)
    return disc(z - 0.185, across, 0.016, 0.078, 0.004), ring(z - 0.200, across, 0.080, 0.013)


@njit(nogil=True)
def buttons(x, y, z):
    """Distance to the chest's buttons: three round ones and a long one."""
    d = 1e9
    for k in range(3):
        d = min(d, sphere(x - 0.04 - 0.06 * k, y - 0.035, z - 0.186, 0.024))
    return min(d, box(x + 0.10, y + 0.165, z - 0.19, 0.075, 0.018, 0.022, 0.010))


@njit(nogil=True)
def claw(x, y, z, cx, cy, cz, way):
    """Distance to a C-shaped claw that opens upwards (way = 1) or downwards (-1), and to its cuff."""
    px, py, pz = x - cx, way * (y - cy), z - cz
    arc = math.hypot(ring(0.0, math.hypot(px, py), 0.085, 0.0), 0.8 * pz) - 0.027
    arc = smax(arc, -box(px, py - 0.10, pz, 0.045, 0.09, 0.2, 0.01), 0.012)
    cuff = disc(py + 0.135, math.hypot(px, pz), 0.042, 0.070, 0.010)
    return arc, smin(cuff, disc(py + 0.095, math.hypot(px, pz), 0.03, 0.045, 0.008), 0.01)


@njit(nogil=True)
def hose(x, y, z, p):
    """Distance to a ribbed hose along a curve."""
    d, t = bezier(x, y, z, p)
    if d > 0.05:
        return d - 0.008
    return d - 0.007 * math.cos(2.0 * math.pi * 9.0 * t)


@njit(nogil=True)
def arms(x, y, z):
    """Distances to the hoses with their shoulder joints, to the cuffs, and to the claws."""
    joint = disc(abs(x) - 0.325, math.hypot(y - 0.07, z), 0.045, 0.095, 0.012)
    if x > 0.0:
        grip, cuff = claw(x, y, z, 0.600, 0.565, 0.08, 1.0)
        return min(joint, hose(x, y, z, RAISED)), cuff, grip
    grip, cuff = claw(x, y, z, -0.510, -0.465, 0.12, -1.0)
    return min(joint, hose(x, y, z, HANGING)), cuff, grip


@njit(nogil=True)
def legs(x, y, z):
    """Distances to the ribbed legs and to the shoes."""
    ax = abs(x)
    across = math.hypot(ax - 0.15, z)
    leg = disc(y + 0.60, across, 0.22, 0.075, 0.01)
    if leg < 0.05:
        leg -= 0.007 * math.cos(2.0 * math.pi * y / 0.062) * smoothstep(0.06, 0.07, across)
    shoe = box(ax - 0.165, y + 0.82, z - 0.06, 0.13, 0.08, 0.21, 0.025)
    shoe = smax(shoe, 0.80 * (y + 0.79) + 0.60 * (z - 0.20), 0.02)
    return leg, smin(shoe, disc(y + 0.735, across, 0.022, 0.105, 0.01), 0.01)


@njit(nogil=True)
def metalwork(x, y, z, limit):
    """Distance to neck, ears, eye bezels, aerial and the wind-up key, where it is below `limit`."""
    ax, d = abs(x), limit
    across = math.hypot(x, z)
    neck = disc(y - 0.22, across, 0.07, 0.10, 0.01)
    if neck < 0.05:
        neck -= 0.006 * math.cos(2.0 * math.pi * y / 0.045) * smoothstep(0.08, 0.09, across)
    d = min(d, neck)
    ear = disc(ax - 0.25, math.hypot(y - 0.45, z), 0.030, 0.085, 0.012)
    d = min(d, smin(ear, sphere(ax - 0.275, y - 0.45, z, 0.042), 0.01))
    rim = math.hypot(ax - 0.105, y - 0.475)
    d = min(d, smax(disc(z - 0.19, rim, 0.042, 0.090, 0.010), 0.066 - rim, 0.008))
    if beyond(x, y, z, 0.0, 0.74, 0.0, 0.14) < d:
        aerial = cone(x, y, z, 0.0, 0.62, 0.0, 0.017, 0.0, 0.85, 0.0, 0.013)
        aerial = smin(aerial, disc(y - 0.645, across, 0.018, 0.06, 0.008), 0.02)
        for k in range(3):
            aerial = smin(aerial, ring(y - 0.69 - 0.026 * k, across, 0.025 - 0.002 * k, 0.012), 0.006)
        d = min(d, aerial)
    if beyond(x, y, z, 0.0, -0.10, -0.35, 0.20) < d:
        shaft = disc(z + 0.27, math.hypot(x, y + 0.10), 0.09, 0.026, 0.006)
        shaft = smin(shaft, disc(z + 0.215, math.hypot(x, y + 0.10), 0.016, 0.055, 0.006), 0.01)
        bow = math.hypot(math.hypot(abs(y + 0.10) - 0.085, z + 0.40) - 0.072, 0.9 * x) - 0.021
        d = min(d, smin(shaft, bow, 0.02))
    return d


@njit(nogil=True)
def distance(x, y, z):
    """Signed distance to the robot."""
    d = min(torso(x, y, z), head(x, y, z))
    if box(x, y + 0.66, z - 0.06, 0.30, 0.26, 0.22, 0.0) < d:
        leg, shoe = legs(x, y, z)
        d = min(d, leg, shoe)
    d = smin(d, metalwork(x, y, z, d + 0.02), 0.008)
    d = min(d, sphere(x, y - 0.85, z, 0.052))
    if box(abs(x) - 0.475, y - 0.06, z - 0.04, 0.245, 0.66, 0.16, 0.0) < d + 0.01:
        tube, cuff, grip = arms(x, y, z)
        d = smin(d, min(tube, smin(cuff, grip, 0.015)), 0.008)
    if box(x, y - 0.15, z - 0.2, 0.29, 0.43, 0.06, 0.0) < d + 0.01:
        face, bezel = dials(x, y, z)
        d = min(d, face, bezel)
        d = min(d, buttons(x, y, z), lens(x, y, z))
        d = smin(d, screws(x, y, z), 0.004)
    return d


@njit(nogil=True)
def gauge(x, y):
    """The gauge's face: marks, a red sector and a needle."""
    px, py = x + 0.10, y + 0.035
    r, angle = math.hypot(px, py), math.atan2(py, px)
    needle = abs(-0.62 * px + 0.785 * py) < 0.005 and 0.785 * px + 0.62 * py > -0.012
    if (r < 0.062 and needle) or r < 0.011:
        return RED
    if 0.045 < r < 0.060 and angle > -0.6 and (angle * 4.0) % 1.0 < 0.28:
        return DARK
    return mix(CREAM, (0.98, 0.72, 0.60), 1.0 if -0.1 < angle < 0.55 and r > 0.04 else 0.0)


@njit(nogil=True)
def eye_colour(x, y, z):
    """Glowing glass with a dark pupil and a glint."""
    px, py = abs(x) - 0.105, y - 0.475
    if math.hypot(x - 0.125 if x > 0.0 else x + 0.085, py - 0.022) < 0.013:
        return (1.2, 1.2, 1.2)
    r = math.hypot(px, py)
    if r < 0.026:
        return (0.08, 0.10, 0.16)
    return mix((0.55, 0.98, 0.95), (0.10, 0.60, 0.75), smoothstep(0.026, 0.060, r))


@njit(nogil=True)
def torso_colour(x, y, z, nz):
    """Blue paint, a cream panel in front, a chequered belt, a yellow stripe."""
    if nz > 0.3 and abs(x) < 0.212 and abs(y + 0.065) < 0.157 and z < 0.2085:
        slot = abs(x - 0.10) < 0.084 and abs(y + 0.118) < 0.080 and z < 0.178
        return DARK if slot else tint(CREAM, 1.15)
    if z < -0.14 and abs(abs(x) - 0.15) < 0.10 and -0.29 < y < -0.02 and z > -0.203:
        return DARK
    if y < -0.325:
        u = (x if abs(x) < 0.297 else z) * 16.0
        return YELLOW if (math.floor(u) + math.floor((y + 0.325) * 19.0)) % 2.0 == 0.0 else DARK
    return YELLOW if 0.128 < y < 0.148 and z < 0.2 else PAINT


@njit(nogil=True)
def body_colour(x, y, z, nz):
    """The colour of head, torso, legs or shoes, whichever is nearest."""
    trunk, skull = torso(x, y, z), head(x, y, z)
    leg, shoe = legs(x, y, z)
    if trunk <= min(skull, leg, shoe):
        return torso_colour(x, y, z, nz)
    if skull <= min(leg, shoe):
        mouth = abs(x) < 0.13 and abs(y - 0.335) < 0.040 and 0.0 < z < 0.183
        return DARK if mouth else mix(LIGHT, PAINT, 1.0 if y > 0.575 else 0.0)
    if leg < shoe:
        return mix(METAL, DARK, smoothstep(0.078, 0.070, math.hypot(abs(x) - 0.15, z)) * 0.6)
    if z > 0.14 and y < -0.745:
        return YELLOW if ((x + y) * 11.0) % 1.0 < 0.5 else DARK
    return PAINT


@njit(nogil=True)
def colour(x, y, z, nx, ny, nz):
    """sRGB in [0, 1] of the robot at a surface point."""
    body = min(torso(x, y, z), head(x, y, z), min(legs(x, y, z)))
    metal = min(metalwork(x, y, z, 1.0), screws(x, y, z))
    tube, cuff, grip = arms(x, y, z)
    face, bezel = dials(x, y, z)
    button, glass, ball = buttons(x, y, z), lens(x, y, z), sphere(x, y - 0.85, z, 0.052)
    best = min(min(body, metal, tube), min(cuff, grip, face), min(bezel, button, glass), ball)
    wear = 0.93 + 0.14 * noise(11.0 * x, 11.0 * y, 11.0 * z)
    if glass == best:
        return eye_colour(x, y, z)
    if face == best:
        return gauge(x, y) if nz > 0.5 else METAL
    if button == best:
        if x < 0.0:
            return mix(RED, YELLOW, smoothstep(-0.105, -0.095, x))
        return RED if x < 0.07 else (YELLOW if x < 0.13 else (0.35, 0.75, 0.40))
    if ball == best:
        return RED
    if tube == best:
        return tint(mix(DARK, METAL, 0.35), wear)
    if cuff == best:
        return tint(YELLOW, wear)
    if min(metal, grip, bezel) == best:
        return tint(METAL, wear)
    return tint(body_colour(x, y, z, nz), wear)
