"""What meshopt uses of PyTorch3D, on CPU tensors: `Meshes` and `rasterize_meshes`, in PyTorch3D's own frame.

Written from its documentation: +x points left and +y up, row 0 is on top; the shorter side of the image spans [-1, 1],
pixels are square; z grows away from the camera, and faces with a z that is not positive are left out; a pixel centre
exactly on an edge is outside, unless it lies within `blur_radius` (a squared distance).
"""

from types import SimpleNamespace

import torch


class Meshes:
    def __init__(self, verts, faces, textures=None, *, verts_normals=None):
        if not all(v.ndim == 2 and v.shape[1] == 3 and v.dtype == torch.float32 for v in verts):
            raise ValueError("verts must be a list of float tensors of shape (num_verts, 3)")
        if not all(f.ndim == 2 and f.shape[1] == 3 and f.dtype == torch.int64 for f in faces):
            raise ValueError("faces must be a list of long tensors of shape (num_faces, 3)")
        self.verts, self.faces = list(verts), list(faces)


def rasterize_meshes(
    meshes,
    image_size=256,
    blur_radius=0.0,
    faces_per_pixel=8,
    bin_size=None,
    max_faces_per_bin=None,
    perspective_correct=False,
    clip_barycentric_coords=False,
    cull_backfaces=False,
    z_clip_value=None,
    cull_to_frustum=False,
):
    options = SimpleNamespace(correct=perspective_correct, clip=clip_barycentric_coords, cull=cull_backfaces)
    if options.correct or options.clip or options.cull or z_clip_value is not None or cull_to_frustum:
        raise NotImplementedError("not faked")
    if faces_per_pixel != 1:
        raise NotImplementedError("not faked")
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    results, first = [], 0
    for verts, faces in zip(meshes.verts, meshes.faces, strict=True):
        results.append(one_mesh(verts.double(), faces, height, width, blur_radius, first))
        first += len(faces)
    face, z, bary, dists = (torch.stack(parts)[..., None] for parts in zip(*results, strict=True))
    return face, z.float(), bary.squeeze(-1)[..., None, :].float(), dists.float()


def one_mesh(verts, faces, height, width, blur_radius, first):
    shorter = min(height, width)
    left = width / shorter  # x of the image's left border
    top = height / shorter
    xs = left - (torch.arange(width).double() + 0.5) * 2 / shorter
    ys = top - (torch.arange(height).double() + 0.5) * 2 / shorter
    pixels = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1).reshape(-1, 1, 2)
    nearest = torch.full((height * width,), -1)
    z = torch.full((height * width,), -1.0).double()
    bary, dists = torch.full((height * width, 3), -1.0).double(), z.clone()
    for k, triangle in enumerate(verts[faces]):
        corners, depth = triangle[:, :2], triangle[:, 2]
        p, q = corners[[1, 2, 0]], corners[[2, 0, 1]]
        edge = q - p
        area = float(edge[2, 0] * edge[0, 1] - edge[2, 1] * edge[0, 0])
        if float(depth.min()) < 1e-8 or abs(area) <= 1e-8:
            continue
        offset = pixels - p
        weight = (edge[:, 0] * offset[..., 1] - edge[:, 1] * offset[..., 0]) / area
        along = ((offset * edge).sum(-1) / (edge * edge).sum(-1)).clamp(0, 1)
        dist = (offset - along[..., None] * edge).square().sum(-1).amin(1)
        inside = (weight > 0).all(1)
        own = weight @ depth
        seen = (inside | (dist < blur_radius)) & (own >= 0) & ((nearest < 0) | (own < z))
        nearest = torch.where(seen, first + k, nearest)
        z = torch.where(seen, own, z)
        bary = torch.where(seen[:, None], weight, bary)
        dists = torch.where(seen, torch.where(inside, -dist, dist), dists)
    shape = (height, width)
    return nearest.reshape(shape), z.reshape(shape), bary.reshape(*shape, 3), dists.reshape(shape)
