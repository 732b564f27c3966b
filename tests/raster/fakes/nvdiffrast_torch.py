"""nvdiffrast.torch's functions on CPU tensors: its signatures, its checks of the arguments, its semantics.

Written from the paper (Laine et al., ACM TOG 39(6), 2020) and the package's documentation, in float64 and without
regard to speed. Vertices are snapped to 1/16 pixel as its CUDA rasteriser does; antialiasing looks at the one triangle
that is nearer at two neighbouring pixels. `tests/raster/conftest.py` puts it where nvdiffrast would be.
"""

import torch

VERSION = "0.4.0"
SNAP = 16  # parts of a pixel
calls = {"hash": 0, "context": 0}


def check(condition, message):
    if not condition:
        raise RuntimeError(message)


def check_tensors(floats=(), integers=()):
    check(all(t.dtype == torch.float32 for t in floats), "Inputs must be float32 tensors")
    check(all(t.dtype == torch.int32 for t in integers), "Inputs must be int32 tensors")
    check(all(t.is_contiguous() for t in (*floats, *integers)), "Inputs must be contiguous tensors")


class RasterizeCudaContext:
    def __init__(self, device=None):
        calls["context"] += 1
        self.device = torch.device(device)


class TopologyHashWrapper:
    """The vertex opposite to each edge in its first other triangle, by (triangle, corner); -1 if there is none."""

    def __init__(self, tri):
        opposite, around = torch.full(tri.shape, -1), {}
        for f, corners in enumerate(tri.tolist()):
            if len(set(corners)) == 3:
                for k in range(3):
                    around.setdefault(frozenset((corners[k - 2], corners[k - 1])), []).append((f, k, corners[k]))
        for group in around.values():
            for f, k, _ in group:
                others = [vertex for g, _, vertex in group if g != f]
                opposite[f, k] = others[0] if others else -1
        self.opposite, self.count = opposite, len(tri)


def rasterize(glctx, pos, tri, resolution, ranges=None, grad_db=True):
    assert isinstance(glctx, RasterizeCudaContext)
    assert grad_db is True or grad_db is False
    assert ranges is None, "range mode is not faked"
    check_tensors([pos], [tri])
    check(pos.device == glctx.device, "CudaRaster context must must reside on the same device as input tensors")
    check(pos.ndim == 3 and pos.numel() > 0 and pos.shape[2] == 4, "instance mode - pos must have shape [>0, >0, 4]")
    check(tri.ndim == 2 and len(tri) > 0 and tri.shape[1] == 3, "tri must have shape [>0, 3]")
    height, width = resolution
    check(height > 0 and width > 0, "resolution must be [>0, >0]")
    if tuple(map(int, VERSION.split("."))) < (0, 3, 2):
        check(height <= 2048 and width <= 2048, "resolution must be [<=2048, <=2048]")
        check((height | width) % 8 == 0, "width and height must be divisible by 8")
    check(bool(pos.isfinite().all()), "a vertex that is not finite: what happens is undefined")
    face = torch.stack([cover(view.detach(), tri, (height, width)) for view in pos])
    corners = seen_corners(pos, tri, face)
    x, y = grid(height, width)
    u, v = corners[..., 0] - x[..., None] * corners[..., 3], corners[..., 1] - y[..., None] * corners[..., 3]
    area = u[..., [1, 2, 0]] * v[..., [2, 0, 1]] - v[..., [1, 2, 0]] * u[..., [2, 0, 1]]
    covered = face >= 0
    bary = area / torch.where(covered, area.sum(-1), 1.0)[..., None]
    depth = (area * corners[..., 2]).sum(-1) / torch.where(covered, (area * corners[..., 3]).sum(-1), 1.0)
    with torch.no_grad():
        first = bary[..., :2].clamp(0, 1)
        first = first / first.sum(-1, keepdim=True).clamp_min(1)
    first = bary[..., :2] + (first - bary[..., :2]).detach()  # the clamp has no part in the gradient
    rast = torch.cat([first, depth.detach().clamp(-1, 1)[..., None], (face + 1)[..., None]], -1)
    rast = torch.where(covered[..., None], rast, 0.0).float()
    return rast, torch.zeros_like(rast)


def interpolate(attr, rast, tri, rast_db=None, diff_attrs=None):
    assert rast_db is diff_attrs is None, "derivatives are not faked"
    check_tensors([attr, rast], [tri])
    check(rast.ndim == 4 and rast.numel() > 0 and rast.shape[3] == 4, "rast must have shape[>0, >0, >0, 4]")
    check(tri.ndim == 2 and len(tri) > 0 and tri.shape[1] == 3, "tri must have shape [>0, 3]")
    check(attr.ndim == 3 and attr.numel() > 0, "attr must have shape [>0, >0, >0] or [>0, >0]")
    check(len(attr) in (1, len(rast)), "minibatch size mismatch between inputs rast, attr")
    face, bary = rast[..., 3].long() - 1, rast[..., :2].double()
    corners = seen_corners(attr.expand(len(rast), -1, -1), tri, face)
    weight = torch.cat([bary, 1 - bary.sum(-1, keepdim=True)], -1)
    image = (weight[..., None] * corners).sum(-2)
    return torch.where((face >= 0)[..., None], image, 0.0).float(), rast.new_zeros(*rast.shape[:3], 0)


def antialias_construct_topology_hash(tri):
    check_tensors(integers=[tri])
    check(tri.ndim == 2 and len(tri) > 0 and tri.shape[1] == 3, "tri must have shape [>0, 3]")
    calls["hash"] += 1
    return TopologyHashWrapper(tri)


def antialias(color, rast, pos, tri, topology_hash=None, pos_gradient_boost=1.0):
    assert pos_gradient_boost == 1.0, "not faked"
    assert topology_hash is None or isinstance(topology_hash, TopologyHashWrapper)
    check_tensors([color, rast, pos], [tri])
    check(color.ndim == 4 and color.numel() > 0, "color must have shape[>0, >0, >0, >0]")
    check(rast.shape == (*color.shape[:3], 4), "color and rast inputs must have same spatial dimensions")
    check(pos.shape[::2] == (len(color), 4), "minibatch size mismatch between inputs color, rast, pos")
    topology = topology_hash or antialias_construct_topology_hash(tri)
    check(topology.count == len(tri), "this topology hash is another mesh's")
    out = color.double()
    for axis in (0, 1):
        out = out + blend(color.double(), rast.detach().double(), pos.double(), tri.long(), topology.opposite, axis)
    return out.float()


# ---- how it is done here


def grid(height, width):
    """Pixel centres in clip space over w."""
    x, y = ((2 * torch.arange(n).double() + 1) / n - 1 for n in (width, height))
    return x.expand(height, width), y[:, None].expand(height, width)


def seen_corners(values, tri, face):
    """Float64 values [V,H,W,3,C] at the vertices of the faces seen; of face 0 where there is none."""
    vertex = tri.long()[face.clamp(min=0)]
    return values.double()[torch.arange(len(values))[:, None, None, None], vertex]


def cover(clip, tri, resolution):
    """The nearest triangle at every pixel [H,W], -1 where there is none; only for w > 0."""
    height, width = resolution
    corners = clip.double()[tri.long()]
    check(bool((corners[..., 3] > 0).all()), "triangles behind the camera are not faked")
    x, y = grid(height, width)
    pixel = torch.stack([x * width / 2, y * height / 2, torch.ones_like(x)], -1)
    half = torch.tensor([width / 2, height / 2])
    point = torch.round(corners[..., :2] / corners[..., 3:] * half * SNAP) / SNAP
    v = torch.cat([point, torch.ones_like(point[..., :1])], -1)
    lines = torch.linalg.cross(v[:, [1, 2, 0]], v[:, [2, 0, 1]])
    double_area = (v[:, 0] * lines[:, 0]).sum(-1)
    lines = lines * double_area.sign()[:, None, None]
    value = torch.einsum("hwi,fki->fkhw", pixel, lines)
    owned = (lines[..., 0] > 0) | ((lines[..., 0] == 0) & (lines[..., 1] > 0))
    inside = ((value > 0) | ((value == 0) & owned[..., None, None])).all(1) & (double_area != 0)[:, None, None]
    ends = corners[..., 2] / corners[..., 3]
    depth = torch.einsum("fkhw,fk->fhw", value, ends) / double_area.abs()[:, None, None].clamp_min(1e-300)
    depth = torch.where(inside & (depth.abs() <= 1), depth, torch.inf)
    least, face = depth.min(0)
    return torch.where(least < torch.inf, face, -1)


def blend(color, rast, pos, tri, opposite, axis):
    """What the pairs of neighbours along an axis (0: in a row) add to the image."""
    height, width = rast.shape[1:3]
    shift = (1, 0) if axis else (0, 1)
    number, depth = rast[..., 3].long() - 1, torch.where(rast[..., 3] > 0, rast[..., 2], torch.inf)
    a, b = (slice(0, height - shift[0]), slice(0, width - shift[1])), (slice(shift[0], None), slice(shift[1], None))
    view, row, column = (number[:, a[0], a[1]] != number[:, b[0], b[1]]).nonzero(as_tuple=True)
    ends = [(view, row, column), (view, row + shift[0], column + shift[1])]
    later = depth[ends[0]] >= depth[ends[1]]  # the second pixel's triangle is the nearer, or the only one
    step = torch.where(later, -1.0, 1.0).double()
    inner = tuple(torch.where(later, q, p) for p, q in zip(*ends, strict=True))
    outer = tuple(torch.where(later, p, q) for p, q in zip(*ends, strict=True))
    face = number[inner]
    vertices, across = tri[face], opposite[face]
    half = torch.tensor([width / 2, height / 2]).double()
    centre = torch.stack([inner[2] + 0.5, inner[1] + 0.5], -1) - half

    def project(index):  # pixels from the inner one's centre, along the axis first
        corner = pos[view.reshape(-1, *[1] * (index.ndim - 1)), index]
        point = corner[..., :2] / corner[..., 3:] * half
        point = point - centre.reshape(-1, *[1] * (index.ndim - 1), 2)
        return point.flip(-1) if axis else point

    def side(p, q, r):
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    point = project(vertices)
    wing = project(torch.where(across >= 0, across, vertices))
    p, q = point[:, [1, 2, 0]], point[:, [2, 0, 1]]
    silhouette = (across < 0) | (side(p, q, wing) * side(p, q, point) > 0)
    steep = (q[..., 1] - p[..., 1]).abs() >= (q[..., 0] - p[..., 0]).abs()
    crosses = (p[..., 1] < 0) != (q[..., 1] < 0)
    share = p[..., 1] / torch.where(crosses, p[..., 1] - q[..., 1], 1.0)
    distance = torch.where(crosses, step[:, None] * (p[..., 0] + share * (q[..., 0] - p[..., 0])), -torch.inf)
    last = distance.detach().argmax(1, keepdim=True)  # where the line between the pixels leaves the triangle
    good = (silhouette & steep & crosses).gather(1, last)[:, 0]
    distance = distance.gather(1, last)[:, 0]
    good &= (distance > -1 / 16) & (distance < 1 + 1 / 16)
    amount = distance[good].clamp(0, 1) - 0.5
    inner, outer = (tuple(index[good] for index in pixel) for pixel in (inner, outer))
    into = tuple(torch.where(amount > 0, q, p) for p, q in zip(inner, outer, strict=True))
    change = amount[:, None] * (color[inner] - color[outer])
    return torch.zeros_like(color).index_put(into, change, accumulate=True)
