"""Compiled loops over faces: what of the loss depends on the surface alone, with gradients. Closed meshes.

With c = (v_1 - v_0) x (v_2 - v_0), a face's normal of length twice its area, and g the gradient to it, the gradients to
v_1 and v_2 are (v_2 - v_0) x g and g x (v_1 - v_0), and that to v_0 is what makes their sum zero.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from meshopt.compilation import INNER, KERNEL

TINY = 1e-20  # of lengths, as in `mesh.vertex_normals`


@njit(**INNER, error_model="numpy", inline="always")
def edges(vertices, a, b, c):
    """v_1 - v_0 and v_2 - v_0."""
    x, y, z = vertices[a, 0], vertices[a, 1], vertices[a, 2]
    u = vertices[b, 0] - x, vertices[b, 1] - y, vertices[b, 2] - z
    return u, (vertices[c, 0] - x, vertices[c, 1] - y, vertices[c, 2] - z)


@njit(**INNER, error_model="numpy", inline="always")
def cross(u, v):
    """u x v."""
    return u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]


@njit(**INNER, error_model="numpy", inline="always")
def add_cross_gradient(grad, a, b, c, u, v, g):
    """Adds to the gradient to the corners that to the face's normal g."""
    p, q = cross(v, g), cross(g, u)
    for k in range(3):
        grad[a, k] -= p[k] + q[k]
        grad[b, k] += p[k]
        grad[c, k] += q[k]


@njit(**KERNEL, error_model="numpy")
def vertex_normals(vertices, faces, normals, lengths):
    """Unit normals [N,3], and the lengths [N] of the sums of the faces' normals that they were."""
    normals[:] = 0
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        u, v = edges(vertices, a, b, c)
        n = cross(u, v)
        for k in range(3):
            normals[a, k] += n[k]
            normals[b, k] += n[k]
            normals[c, k] += n[k]
    for i in range(normals.shape[0]):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        lengths[i] = max(math.sqrt(x * x + y * y + z * z), TINY)
        for k in range(3):
            normals[i, k] /= lengths[i]


@njit(**KERNEL, error_model="numpy")
def vertex_normals_backward(vertices, faces, normals, lengths, grad_normals, across, grad):
    """Adds the gradient to the vertices [N,3]. Work space: `across` [N,3], the gradient to the sums."""
    for i in range(normals.shape[0]):
        along = np.float32(0)
        for k in range(3):
            along += grad_normals[i, k] * normals[i, k]
        for k in range(3):
            across[i, k] = (grad_normals[i, k] - along * normals[i, k]) / lengths[i]
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        u, v = edges(vertices, a, b, c)
        g = (
            across[a, 0] + across[b, 0] + across[c, 0],
            across[a, 1] + across[b, 1] + across[c, 1],
            across[a, 2] + across[b, 2] + across[c, 2],
        )
        add_cross_gradient(grad, a, b, c, u, v, g)


@njit(**KERNEL, error_model="numpy")
def laplacian(vertices, faces, weight, degree, offset, grad):
    """Sum of weight times squared distance to the neighbours' mean; its gradient into `grad` [N,3], all 0 before.

    Work space: `degree` [N] and `offset` [N,3], all 0. Each edge is met once in each direction.
    """
    for f in range(faces.shape[0]):
        for k in range(3):
            i, j = faces[f, k], faces[f, (k + 1) % 3]
            degree[i] += 1
            for c in range(3):
                offset[i, c] += vertices[j, c]
    total = 0.0
    for i in range(vertices.shape[0]):
        count = max(degree[i], np.float32(1))
        square = np.float32(0)
        for c in range(3):
            offset[i, c] = offset[i, c] / count - vertices[i, c]
            square += offset[i, c] * offset[i, c]
        total += weight[i] * square
        for c in range(3):
            offset[i, c] *= 2 * weight[i]
            grad[i, c] -= offset[i, c]
            offset[i, c] /= count
    for f in range(faces.shape[0]):
        for k in range(3):
            i, j = faces[f, k], faces[f, (k + 1) % 3]
            for c in range(3):
                grad[j, c] += offset[i, c]
    return total


@njit(**KERNEL, error_model="numpy")
def facets(vertices, faces, normals, weight, power, grad):
    """`facets.facet_loss`; its gradient is added to `grad` [N,3]."""
    total = 0.0
    for f in range(faces.shape[0]):
        if weight[f] <= 0:
            continue
        t = normals[f, 0], normals[f, 1], normals[f, 2]
        alike = (math.sqrt(t[0] * t[0] + t[1] * t[1] + t[2] * t[2]) / max(weight[f], np.float32(1e-12))) ** power
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        u, v = edges(vertices, a, b, c)
        n = cross(u, v)
        length = max(math.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), TINY)
        x, y, z = n[0] / length, n[1] / length, n[2] / length
        along = x * t[0] + y * t[1] + z * t[2]
        total += alike * (weight[f] - along)
        s = -alike / length
        g = np.float32(s * (t[0] - along * x)), np.float32(s * (t[1] - along * y)), np.float32(s * (t[2] - along * z))
        add_cross_gradient(grad, a, b, c, u, v, g)
    return total
