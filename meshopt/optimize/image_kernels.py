"""Per-pixel arithmetic of the image loss in one pass each, for CPU tensors. Twins in torch: see `images`."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def shade(normals, face, image):
    """Normals [h,w,3] and face index [h,w] to unit normals and coverage [h,w,4], zero where nothing is."""
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            if face[y, x] < 0:
                image[y, x, 0] = image[y, x, 1] = image[y, x, 2] = image[y, x, 3] = np.float32(0)
                continue
            a, b, c = normals[y, x, 0], normals[y, x, 1], normals[y, x, 2]
            scale = np.float32(1) / np.sqrt(max(a * a + b * b + c * c, np.float32(1e-12)))
            image[y, x, 0], image[y, x, 1], image[y, x, 2] = a * scale, b * scale, c * scale
            image[y, x, 3] = np.float32(1)


@njit(cache=True, nogil=True)
def shade_backward(normals, face, grad_image, grad):
    """Gradient of `shade` to the normals, from the gradient [h,w,4] to the image."""
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            if face[y, x] < 0:
                grad[y, x, 0] = grad[y, x, 1] = grad[y, x, 2] = np.float32(0)
                continue
            a, b, c = normals[y, x, 0], normals[y, x, 1], normals[y, x, 2]
            scale = np.float32(1) / np.sqrt(max(a * a + b * b + c * c, np.float32(1e-12)))
            a, b, c = a * scale, b * scale, c * scale
            g, h, k = grad_image[y, x, 0], grad_image[y, x, 1], grad_image[y, x, 2]
            along = a * g + b * h + c * k
            grad[y, x, 0] = (g - along * a) * scale
            grad[y, x, 1] = (h - along * b) * scale
            grad[y, x, 2] = (k - along * c) * scale


@njit(cache=True, nogil=True)
def compare(image, target, weight, factors, grad):
    """Robust normal loss and squared coverage loss of one band [h,w,4], and their gradient to the image.

    `factors` = (normal weight, silhouette weight, robustness); a normal difference d costs
    robustness * (sqrt(|d|^2 + robustness^2) - robustness), which is |d|^2 / 2 below it and grows linearly above.
    Returns the two sums, weighted.
    """
    of_normals, of_coverage, soft = factors
    normal_sum, coverage_sum = 0.0, 0.0
    for y in range(weight.shape[0]):
        for x in range(weight.shape[1]):
            a = image[y, x, 0] - target[y, x, 0]
            b = image[y, x, 1] - target[y, x, 1]
            c = image[y, x, 2] - target[y, x, 2]
            d = image[y, x, 3] - target[y, x, 3]
            square = a * a + b * b + c * c
            if square == 0 and d == 0:
                grad[y, x, 0] = grad[y, x, 1] = grad[y, x, 2] = grad[y, x, 3] = np.float32(0)
                continue
            root = np.sqrt(square + soft * soft)
            pixel = weight[y, x]
            normal_sum += of_normals * pixel * soft * (root - soft)
            coverage_sum += of_coverage * pixel * d * d
            slope = of_normals * pixel * soft / root
            grad[y, x, 0], grad[y, x, 1], grad[y, x, 2] = slope * a, slope * b, slope * c
            grad[y, x, 3] = of_coverage * pixel * np.float32(2) * d
    return normal_sum, coverage_sum
