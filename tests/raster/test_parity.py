"""Every backend against the float64 reference: values and gradients.

Borders of faces are excepted by a band: `BANDS` says, in pixels, how far a backend may move them. Real nvdiffrast,
PyTorch3D and DRTK are tested where they work (marker cuda), fakes that keep their signatures and frames everywhere.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import trimesh

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.raster.protocol import Rasterizer
from meshopt.raster.reference import weights

REFERENCE = raster.get("reference")
BANDS = {  # pixels
    "cpu": 1 / 128,
    "nvdiffrast": 1 / 16,  # vertices are snapped to 1/16 pixel
    "pytorch3d": 1 / 256,  # float32, and the blur of its edges
    "drtk": 1 / 256,
}
ONE_TRIANGLE = {"nvdiffrast"}  # antialiasing looks at one triangle, and does not follow the surface from face to face

ORTHOGRAPHIC = [Camera.orbit("a", 10, 7), Camera.orbit("b", 100, -20), Camera.orbit("c", 215, 40)]
PERSPECTIVE = [Camera.orbit("d", 33, 20, fov=40, distance=3), Camera.orbit("e", 160, -35, fov=55, distance=2.2)]


def lumpy(subdivisions, seed, offset=(0, 0, 0), scale=1.0):
    """A closed, bumpy mesh with folds of its own."""
    rng, mesh = np.random.default_rng(seed), trimesh.creation.icosphere(subdivisions)
    lumps = 0.7 + 0.15 * np.sin(4 * mesh.vertices @ rng.normal(size=3)) + 0.05 * rng.normal(size=len(mesh.vertices))
    return mesh.vertices * lumps[:, None] * scale + offset, mesh.faces


def whole(subdivisions=1):
    return lumpy(subdivisions, subdivisions)


def opened():
    vertices, faces = lumpy(2, 5)
    return vertices, faces[np.random.default_rng(5).random(len(faces)) < 0.7]


def overlapping():
    """Two meshes that pass through each other; one of them inside out."""
    (v, f), (w, g) = lumpy(1, 6, (0.2, 0.1, 0.1), 0.8), lumpy(1, 7, (-0.25, -0.1, -0.2), 0.8)
    return np.concatenate([v, w]), np.concatenate([f, g[:, ::-1] + len(v)])


SCENES = {  # mesh, cameras, (rows, columns)
    "orthographic": (whole, ORTHOGRAPHIC, (32, 32)),
    "perspective": (whole, PERSPECTIVE, (32, 32)),
    "both": (whole, [ORTHOGRAPHIC[0], *PERSPECTIVE], (32, 40)),
    "wide": (whole, [ORTHOGRAPHIC[1], PERSPECTIVE[0]], (24, 44)),
    "high": (whole, [ORTHOGRAPHIC[2], PERSPECTIVE[1]], (43, 21)),
    "open": (opened, [ORTHOGRAPHIC[0], PERSPECTIVE[1]], (40, 33)),
    "overlapping": (overlapping, [ORTHOGRAPHIC[0], PERSPECTIVE[0]], (32, 32)),
}


def scene(name, device="cpu"):
    (vertices, faces), cameras, size = SCENES[name][0](), *SCENES[name][1:]
    m = torch.tensor(np.stack([c.clip_matrix(1.2) for c in cameras]))
    clip = raster.transform(torch.tensor(vertices), m).float()
    return clip.to(device), torch.tensor(np.array(faces), dtype=torch.int32, device=device), size


@dataclass(frozen=True)
class Case:
    """A backend on a device."""

    backend: Rasterizer
    device: str

    @property
    def band(self):
        return BANDS[self.backend.name]

    @property
    def follows(self):
        return self.backend.name not in ONE_TRIANGLE


def usable(name, device):
    """The real backend; skips the test with the reason where it does not work."""
    reason = raster.available(device)[name]
    if reason is not None:
        pytest.skip(f"{name} on {device}: {reason}")
    return Case(raster.get(name, device), device)


FAKES = ["fake_nvdiffrast", "fake_pytorch3d", "fake_drtk"]
REAL = [("nvdiffrast", "cuda"), ("drtk", "cuda"), ("pytorch3d", "cuda"), ("pytorch3d", "cpu")]
REAL_PARAMS = [pytest.param(p, marks=[pytest.mark.cuda] if p[1] == "cuda" else [], id="-".join(p)) for p in REAL]


@pytest.fixture(params=["cpu", *FAKES, *REAL_PARAMS])
def case(request):
    if isinstance(request.param, tuple):
        return usable(*request.param)
    if request.param == "cpu":
        return Case(raster.get("cpu"), "cpu")
    request.getfixturevalue(request.param)
    return Case(raster.get(request.param.removeprefix("fake_")), "cpu")


def close(found, wanted, rtol):
    assert torch.isfinite(found).all()
    error = (found.cpu() - wanted.cpu()).abs().max().item() if found.numel() else 0.0
    assert error <= rtol * wanted.abs().max().item()


def drawn(case, name):
    """The scene, what the backend sees in it, and where there is one answer within its band."""
    clip, faces, size = scene(name, case.device)
    return clip, faces, case.backend.rasterize(clip, faces, size)


@pytest.mark.parametrize("name", SCENES)
def test_every_pixel_sees_a_face_that_it_may_see(case, scenes, name):
    """Where borders and crossings within the band leave one answer, it is that one."""
    clip, faces, fragments = drawn(case, name)
    decided = 0
    for view, face in zip(clip.cpu(), fragments.face.cpu(), strict=True):
        oracle = scenes.Oracle(view, faces.cpu(), tuple(face.shape), case.band)
        assert oracle.allows(face).all()
        decided += oracle.decided().sum()
    assert decided > 0.7 * fragments.face.numel()
    assert ((fragments.face >= 0).float().mean((1, 2)) > 0.15).all()


@pytest.mark.parametrize("name", SCENES)
def test_values_and_their_gradients(case, name):
    """Weights, depths and interpolated attributes at the faces seen, and gradients to positions and attributes."""
    clip, faces, size = scene(name, case.device)
    generator = torch.Generator().manual_seed(1)
    sets = len(clip) if name == "perspective" else 1
    attributes = torch.randn(sets, clip.shape[1], 3, generator=generator).to(case.device)
    c32, a32 = clip.clone().requires_grad_(), attributes.clone().requires_grad_()
    c64, a64 = clip.cpu().double().requires_grad_(), attributes.cpu().double().requires_grad_()
    fragments = case.backend.rasterize(c32, faces, size)
    face = fragments.face.cpu()
    exact = weights(c64, faces.cpu(), face)
    inside = (face >= 0) & (exact.min(-1).values > 0) & (exact.sum(-1) < 1)  # elsewhere weights are clamped
    assert inside.sum() > 0.95 * (face >= 0).sum()
    with torch.no_grad():
        slow = REFERENCE.rasterize(c64, faces.cpu(), size)
    both = inside & (slow.face == face)
    close(fragments.bary.detach().cpu()[inside], exact.detach()[inside], 1e-4)
    close(fragments.depth.cpu()[both], slow.depth[both], 1e-5)
    assert not fragments.depth.requires_grad

    given = replace(slow, face=face, bary=exact)
    image = case.backend.interpolate(a32, fragments, faces)
    expected = REFERENCE.interpolate(a64, given, faces.cpu())
    assert (image[fragments.face < 0] == 0).all()
    close(image.detach().cpu()[inside], expected.detach()[inside], 1e-4)
    weight = torch.randn(expected.shape, generator=generator, dtype=torch.float64) * inside[..., None]
    found = torch.autograd.grad((image * weight.to(image)).sum(), (c32, a32))
    wanted = torch.autograd.grad((expected * weight).sum(), (c64, a64))
    for a, b in zip(found, wanted, strict=True):
        close(a, b, 1e-3)
    assert (found[0][..., 2] == 0).all()


@pytest.mark.parametrize("name", SCENES)
def test_silhouettes_and_their_gradients(case, name):
    """As the reference blends; a backend with rules of its own blends most pixels so, and as much in all."""
    clip, faces, size = scene(name, case.device)
    fragments = case.backend.rasterize(clip, faces, size)
    given = replace(
        raster.Fragments(fragments.face.cpu(), fragments.bary.cpu().double(), fragments.depth.cpu().double())
    )
    picture = torch.rand(*given.face.shape, 3, generator=torch.Generator().manual_seed(2))
    p32, c32 = picture.to(case.device).requires_grad_(), clip.clone().requires_grad_()
    p64, c64 = picture.double().requires_grad_(), clip.cpu().double().requires_grad_()
    blended = case.backend.antialias(p32, fragments, c32, faces)
    smooth = REFERENCE.antialias(p64, given, c64, faces.cpu())
    touched = (smooth - p64).abs().amax(-1) > 1e-6
    assert touched.sum() > 60
    weight = torch.randn(smooth.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = torch.autograd.grad((blended * weight.to(blended)).sum(), (p32, c32))
    wanted = torch.autograd.grad((smooth * weight).sum(), (p64, c64))
    if case.follows:
        close(blended.detach(), smooth.detach(), 1e-4)
        for a, b in zip(found, wanted, strict=True):
            close(a, b, 1e-4)
        return
    differing = (blended.detach().cpu() - smooth.detach()).abs().amax(-1) > 0.02
    assert differing.sum() < 0.6 * touched.sum()  # in faces of a few pixels; fewer in larger ones
    cosine = torch.cosine_similarity(found[1].cpu().double().flatten(), wanted[1].flatten(), dim=0)
    assert cosine > 0.6


def test_a_growing_shape_covers_what_it_must(case):
    """Under an orthographic camera the area grows as the square: d(mean mask)/d(scale) = 2 (mean mask) / scale."""
    vertices, faces = (torch.tensor(np.array(part), device=case.device) for part in whole())
    scale = torch.tensor(0.9, dtype=torch.float64, device=case.device, requires_grad=True)
    m = torch.tensor(np.stack([c.clip_matrix() for c in ORTHOGRAPHIC]))
    clip, faces = raster.transform(vertices * scale, m.to(case.device)).float(), faces.int()
    fragments = case.backend.rasterize(clip, faces, (96, 96))
    image = case.backend.interpolate(torch.ones(1, len(vertices), 1, device=case.device), fragments, faces)
    mean = case.backend.antialias(image, fragments, clip, faces).mean()
    mean.backward()
    assert float(scale.grad) == pytest.approx(2 * float(mean.detach()) / 0.9, rel=0.01 if case.follows else 0.3)
