"""What views show at points of a surface."""

from __future__ import annotations

from math import sqrt

from numba import njit

from meshopt.compilation import KERNEL


@njit(**KERNEL, error_model="numpy")
def observe(
    first, last, points, normals, cameras, images, depths, borders, finest, least_cosine, tolerance, sure, weight, color
):
    """Fills sure and weight [V,P] and color [V,P,C] of points [P,3] with unit normals [P,3], first to before last.

    cameras [V,24]: 16 of the world-to-clip matrix, 4 of the view axis (depth = axis . (p, 1)), 4 of the eye.
    images [V,H,W,C]. depths [V,D,E] along the view axis, infinite where there is nothing; borders [V,D,E] in [0, 1].
    `sure` is the product of the border and the cosine to the eye less `least_cosine`; the weight is that times the
    square of `finest`, the least side of a pixel, over that of this pixel. Depths may be off by `tolerance` pixels,
    more on slopes.
    """
    count, height, width, channels = images.shape
    rows, columns = depths.shape[1:]
    for v in range(count):
        m = cameras[v]
        for i in range(first, last):
            sure[v, i] = weight[v, i] = 0.0
            for c in range(channels):
                color[v, i, c] = 0.0
            x, y, z = points[i, 0], points[i, 1], points[i, 2]
            w = m[12] * x + m[13] * y + m[14] * z + m[15]
            if not w > 0:
                continue
            s = ((m[0] * x + m[1] * y + m[2] * z + m[3]) / w + 1) / 2
            t = ((m[4] * x + m[5] * y + m[6] * z + m[7]) / w + 1) / 2
            if not (s >= 0 and s < 1 and t >= 0 and t < 1):
                continue
            ex, ey, ez = m[20] - m[23] * x, m[21] - m[23] * y, m[22] - m[23] * z
            length = sqrt(ex * ex + ey * ey + ez * ez)
            cosine = (ex * normals[i, 0] + ey * normals[i, 1] + ez * normals[i, 2]) / length
            if not cosine > least_cosine:
                continue
            row, column = int(t * rows), int(s * columns)
            border = borders[v, row, column]
            if border <= 0:
                continue
            depth = m[16] * x + m[17] * y + m[18] * z + m[19]
            pixel = 2 * w / (sqrt(m[4] * m[4] + m[5] * m[5] + m[6] * m[6]) * height)
            slope = sqrt(max(0.0, 1 - cosine * cosine)) / max(cosine, 0.1)
            if abs(depth - depths[v, row, column]) > tolerance * pixel * (1 + slope):
                continue
            sure[v, i] = border * (cosine - least_cosine) / (1 - least_cosine)
            weight[v, i] = sure[v, i] * (finest / pixel) ** 2
            a, b = s * width - 0.5, t * height - 0.5
            a, b = min(max(a, 0.0), width - 1.0), min(max(b, 0.0), height - 1.0)
            j, k = min(int(a), width - 2), min(int(b), height - 2)
            a, b = a - j, b - k
            for c in range(channels):
                upper = (1 - a) * images[v, k, j, c] + a * images[v, k, j + 1, c]
                lower = (1 - a) * images[v, k + 1, j, c] + a * images[v, k + 1, j + 1, c]
                color[v, i, c] = (1 - b) * upper + b * lower
