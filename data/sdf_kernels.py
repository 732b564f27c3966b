"""Signed distances of simple solids and the operators that blend them, in float64.

Negative inside. Points and sizes share one unit. Unless a docstring says otherwise a distance is exact or an
underestimate, and changes by at most one unit per unit of movement. After Quilez, "Distance functions".
"""

import math

from numba import njit


@njit(nogil=True)
def clamp(x, low, high):
    """x limited to [low, high]."""
    return min(max(x, low), high)


@njit(nogil=True)
def smoothstep(low, high, x):
    """0 below `low`, 1 above `high`, a cubic in between; `low` may exceed `high`."""
    t = clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(nogil=True)
def smin(a, b, k):
    """Union with a fillet that starts where |a - b| < k."""
    h = max(k - abs(a - b), 0.0) / k
    return min(a, b) - h * h * k * 0.25


@njit(nogil=True)
def smax(a, b, k):
    """Intersection with a bevel that starts where |a - b| < k; smax(a, -b, k) cuts b out of a."""
    return -smin(-a, -b, k)


@njit(nogil=True)
def length(x, y, z):
    """Euclidean norm."""
    return math.sqrt(x * x + y * y + z * z)


@njit(nogil=True)
def sphere(x, y, z, r):
    """Ball about the origin."""
    return length(x, y, z) - r


@njit(nogil=True)
def beyond(x, y, z, cx, cy, cz, r):
    """Distance to the ball of radius r about c: a lower bound for what lies inside that ball."""
    return length(x - cx, y - cy, z - cz) - r


@njit(nogil=True)
def ellipsoid(x, y, z, a, b, c):
    """Ellipsoid with semi-axes a, b, c: distance of first order, exact on the surface only."""
    k0 = length(x / a, y / b, z / c)
    k1 = length(x / (a * a), y / (b * b), z / (c * c))
    if k1 < 1e-9:
        return -min(a, b, c)
    return k0 * (k0 - 1.0) / k1


@njit(nogil=True)
def box(x, y, z, a, b, c, r):
    """Box with half sides a, b, c whose edges are rounded with radius r (inside those sides)."""
    qx, qy, qz = abs(x) - a + r, abs(y) - b + r, abs(z) - c + r
    outside = length(max(qx, 0.0), max(qy, 0.0), max(qz, 0.0))
    return outside + min(max(qx, qy, qz), 0.0) - r


@njit(nogil=True)
def disc(axial, radial, half, radius, r):
    """Cylinder by the coordinate along its axis and the distance from it; edges rounded with radius r."""
    qa, qr = abs(axial) - half + r, radial - radius + r
    return math.hypot(max(qa, 0.0), max(qr, 0.0)) + min(max(qa, qr), 0.0) - r


@njit(nogil=True)
def ring(axial, radial, major, minor):
    """Torus given by the coordinate along its axis and the distance from it."""
    return math.hypot(axial, radial - major) - minor


@njit(nogil=True)
def cone(x, y, z, ax, ay, az, ra, bx, by, bz, rb):
    """Convex hull of the balls (a, ra) and (b, rb): a capsule whose radius changes along the way."""
    dx, dy, dz = bx - ax, by - ay, bz - az
    size = length(dx, dy, dz)
    px, py, pz = x - ax, y - ay, z - az
    along = (px * dx + py * dy + pz * dz) / size
    across = math.sqrt(max(px * px + py * py + pz * pz - along * along, 0.0))
    slope = (ra - rb) / size
    rise = math.sqrt(max(1.0 - slope * slope, 0.0))
    k = along * rise - across * slope
    if k < 0.0:
        return math.hypot(across, along) - ra
    if k > rise * size:
        return math.hypot(across, along - size) - rb
    return across * rise + along * slope - ra


@njit(nogil=True)
def bezier(x, y, z, p):
    """Tube of changing radius along a quadratic Bezier curve, and the curve's nearest parameter in [0, 1].

    `p` holds (ax, ay, az, bx, by, bz, cx, cy, cz, r0, r1): control points and the radii at the ends. The
    nearest point is sought by sampling and Newton steps, for curves that turn by less than a half circle.
    """
    ux, uy, uz = p[3] - p[0], p[4] - p[1], p[5] - p[2]
    wx, wy, wz = p[6] - p[3] - ux, p[7] - p[4] - uy, p[8] - p[5] - uz
    qx, qy, qz = p[0] - x, p[1] - y, p[2] - z
    best, t = 1e300, 0.0
    for i in range(9):
        s = i * 0.125
        s2, ss = 2.0 * s, s * s
        d = (qx + s2 * ux + ss * wx) ** 2 + (qy + s2 * uy + ss * wy) ** 2 + (qz + s2 * uz + ss * wz) ** 2
        if d < best:
            best, t = d, s
    for _ in range(4):
        gx, gy, gz = 2.0 * (ux + t * wx), 2.0 * (uy + t * wy), 2.0 * (uz + t * wz)
        ex, ey, ez = qx + t * (gx - t * wx), qy + t * (gy - t * wy), qz + t * (gz - t * wz)
        first = ex * gx + ey * gy + ez * gz
        second = gx * gx + gy * gy + gz * gz + 2.0 * (ex * wx + ey * wy + ez * wz)
        if second > 1e-12:
            t = clamp(t - first / second, 0.0, 1.0)
    gx, gy, gz = 2.0 * (ux + t * wx), 2.0 * (uy + t * wy), 2.0 * (uz + t * wz)
    ex, ey, ez = qx + t * (gx - t * wx), qy + t * (gy - t * wy), qz + t * (gz - t * wz)
    return length(ex, ey, ez) - (p[9] + t * (p[10] - p[9])), t


@njit(nogil=True)
def lattice(i, j, k):
    """A fixed pseudo-random number in [0, 1) for each integer lattice point."""
    h = (i * 374761393 + j * 668265263 + k * 1440662683) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 974634569) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) & 0xFFFFFF) / 16777216.0


@njit(nogil=True)
def noise(x, y, z):
    """Smooth value noise in [0, 1] with one feature per unit."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    i, j, k = int(fx), int(fy), int(fz)
    x, y, z = smoothstep(0.0, 1.0, x - fx), smoothstep(0.0, 1.0, y - fy), smoothstep(0.0, 1.0, z - fz)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (x if a else 1.0 - x) * (y if b else 1.0 - y) * (z if c else 1.0 - z)
                total += weight * lattice(i + a, j + b, k + c)
    return total


@njit(nogil=True)
def mix(a, b, t):
    """Colour a where t = 0, b where t = 1."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


@njit(nogil=True)
def tint(c, f):
    """Colour c times the brightness f."""
    return (c[0] * f, c[1] * f, c[2] * f)


@njit(nogil=True)
def polygon(u, v, points):
    """Plane distance to a simple polygon given by its corners [K, 2]."""
    best, inside, last = 1e300, False, len(points) - 1
    for k in range(len(points)):
        ax, ay, bx, by = points[k, 0], points[k, 1], points[last, 0], points[last, 1]
        ex, ey, wx, wy = bx - ax, by - ay, u - ax, v - ay
        t = clamp((wx * ex + wy * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        best = min(best, (wx - t * ex) ** 2 + (wy - t * ey) ** 2)
        if (ay > v) != (by > v) and u < ex * (v - ay) / ey + ax:
            inside = not inside
        last = k
    return -math.sqrt(best) if inside else math.sqrt(best)


@njit(nogil=True)
def slab(flat, w, half, r):
    """A plane shape with distance `flat`, thickened to |w| < half; edges rounded with radius r."""
    qa, qb = flat + r, abs(w) - half + r
    return math.hypot(max(qa, 0.0), max(qb, 0.0)) + min(max(qa, qb), 0.0) - r
