"""What meshopt uses of DRTK, on CPU tensors: `rasterize`.

Written from its documentation: pixels, x right and y down, the centre of the first pixel at (0, 0); z is a distance
from the camera, nothing is drawn unless all of a face's are above 1e-8; what is interpolated is 1/z.
"""

import torch


def rasterize(v, vi, height, width, wireframe=False):
    if v.ndim != 3 or v.shape[2] != 3 or not v.is_floating_point():
        raise RuntimeError("rasterize(): expected v to be a floating point tensor of shape N x V x 3")
    if vi.dtype != torch.int32 or vi.shape[-1] != 3 or vi.ndim not in (2, 3):
        raise RuntimeError("rasterize(): expected vi to have int32 type and shape F x 3 or N x F x 3")
    if height <= 0 or width <= 0 or wireframe:
        raise RuntimeError("rasterize(): both height and width must be > 0")
    batches = vi if vi.ndim == 3 else vi[None].expand(len(v), -1, -1)
    return torch.stack([one_mesh(points, faces, height, width) for points, faces in zip(v, batches, strict=True)])


def one_mesh(points, faces, height, width):
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    image = torch.full((height, width), -1, dtype=torch.int32)
    inverse = torch.zeros(height, width, dtype=torch.float64)
    for k, (a, b, c) in enumerate(points.double()[faces.long()]):
        if min(a[2], b[2], c[2]) <= 1e-8:
            continue
        edges, turn = [(b, c), (c, a), (a, b)], (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if turn == 0:
            continue
        inside, total = torch.ones_like(image, dtype=torch.bool), torch.zeros_like(inverse)
        for (p, q), corner in zip(edges, (a, b, c), strict=True):
            dx, dy = (q - p)[:2] * turn.sign()
            value = (y - p[1]) * dx - (x - p[0]) * dy
            inside &= (value > 0) | ((value == 0) & bool(dy < 0 or (dy == 0 and dx > 0)))
            total += value / turn.abs() / corner[2]
        seen = inside & (total > inverse)
        image, inverse = torch.where(seen, k, image), torch.where(seen, total, inverse)
    return image
