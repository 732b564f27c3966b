"""The optimiser and the whole reconstruction through backends other than our own: they end where the CPU's do.

Real packages where they work (marker cuda), a fake nvdiffrast and a backend that only covers everywhere.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from meshopt import raster
from meshopt.cameras import Camera
from meshopt.config import OptimizeConfig, load_config
from meshopt.mesh import Mesh
from meshopt.optimize import optimize_stage
from meshopt.optimize.images import render_normals
from meshopt.optimize.stages import Stage
from meshopt.pipeline import reconstruct
from meshopt.raster.coverage import CoverageRasterizer
from meshopt.topology import topology
from meshopt.views import LoadOptions, ViewSet, load_views

REAL = [("nvdiffrast", "cuda"), ("drtk", "cuda"), ("pytorch3d", "cuda")]


def usable(name, device):
    """The real backend; skips the test with the reason where it does not work."""
    reason = raster.available(device)[name]
    if reason is not None:
        pytest.skip(f"{name} on {device}: {reason}")
    return raster.get(name, device)


# ---- the optimiser


def ellipsoid_views(size=64):
    """Normals and masks of an ellipsoid, drawn from a fine mesh by the CPU backend."""
    shape = trimesh.creation.icosphere(4)
    axes = torch.tensor([0.7, 0.55, 0.4])
    vertices = torch.tensor(shape.vertices, dtype=torch.float32) * axes
    normals = torch.nn.functional.normalize(vertices / axes**2, dim=-1)
    faces = torch.tensor(np.array(shape.faces), dtype=torch.int32)
    cameras = tuple(Camera.orbit(str(a), a) for a in (0, 90, 180, 270))
    m = torch.tensor(np.stack([c.clip_matrix() for c in cameras]), dtype=torch.float32)
    image, _ = render_normals(raster.get("cpu"), vertices, normals, faces, m, (size, size))
    unit = torch.nn.functional.normalize(image[..., :3], dim=-1)
    return ViewSet(cameras, unit, image[..., 3].clamp(0, 1))


def start(device="cpu"):
    shape = trimesh.creation.icosphere(3, radius=0.5)
    vertices = torch.tensor(np.array(shape.vertices), dtype=torch.float32, device=device)
    return Mesh(vertices, torch.tensor(np.array(shape.faces), dtype=torch.int32, device=device))


STAGE = Stage("test", 64, 40, (0.16, 0.07), (0.3, 0.02))


def optimised(backend, device="cpu"):
    views = ellipsoid_views().to(torch.device(device))
    with torch.no_grad():
        return optimize_stage(start(device), views, OptimizeConfig(), STAGE, backend, lambda *_: None).mesh


def distances(points, mesh):
    """Of points [P,3] to a surface: to the plane of a face if the foot lies in it, else to its edges."""
    corners = mesh.vertices.cpu().double()[mesh.faces.cpu().long()]
    edges = corners[:, [1, 2, 0]] - corners
    normal = torch.nn.functional.normalize(torch.linalg.cross(edges[:, 0], edges[:, 1]), dim=-1)
    offset = points[:, None, None] - corners  # [P,F,3,3]
    share = ((offset * edges).sum(-1) / edges.square().sum(-1)).clamp(0, 1)
    to_edges = (offset - share[..., None] * edges).norm(dim=-1).amin(-1)
    inward = torch.linalg.cross(normal[:, None].expand_as(edges), edges)
    inside = ((offset * inward).sum(-1) >= 0).all(-1)
    return torch.where(inside, (offset[:, :, 0] * normal).sum(-1).abs(), to_edges).amin(1)


def chamfer(a, b, count=500):
    """Mean distance of points on each surface to the other, in diagonals of the first."""
    means = []
    for one, other in ((a, b), (b, a)):
        shape = trimesh.Trimesh(one.vertices.cpu().numpy(), one.faces.cpu().numpy(), process=False)
        means.append(
            distances(torch.tensor(np.asarray(trimesh.sample.sample_surface(shape, count, seed=0)[0])), other).mean()
        )
    diagonal = (a.vertices.amax(0) - a.vertices.amin(0)).norm()
    return float(sum(means) / 2 / diagonal.cpu())


@pytest.fixture(scope="module")
def by_cpu():
    return optimised(raster.get("cpu"))


def ends_at_the_same_shape(mesh, by_cpu, bound=0.001):
    """Within 0.1 % of the diagonal, from a start 3.5 % away; a pixel is 1.6 % of it, edges are 4 %."""
    assert chamfer(by_cpu, start()) > 0.03
    assert chamfer(by_cpu, mesh) < bound
    shape = topology(mesh.vertices.cpu(), mesh.faces.cpu())
    assert (shape.closed, shape.manifold, shape.oriented, shape.euler) == (True, True, True, 2)


def test_the_optimiser_through_the_nvdiffrast_backend(fake_nvdiffrast, by_cpu):
    """All but coverage is the fake's; the CPU backend's coverage keeps this quick."""
    cpu = raster.get("cpu")
    fake_nvdiffrast.cover = lambda clip, tri, size: cpu.rasterize(clip[None], tri, size).face[0].long()
    ends_at_the_same_shape(optimised(raster.get("nvdiffrast")), by_cpu, 0.002)
    assert fake_nvdiffrast.calls["context"] == 1
    assert fake_nvdiffrast.calls["hash"] <= STAGE.steps  # one for each new set of faces


class CoveredByCpu(CoverageRasterizer):
    """What PyTorch3D's and DRTK's backends have in common, with the CPU backend's coverage."""

    name, licence, devices, rank = "covered", "", ("cpu",), 0

    def unusable(self):
        return None

    def nearest(self, views, resolution):
        ones = [torch.cat([v.points, torch.ones(len(v.points), 1)], 1).float()[None] for v in views]
        found = [raster.get("cpu").rasterize(c, v.faces, resolution).face for c, v in zip(ones, views, strict=True)]
        return torch.cat(found)


def test_the_optimiser_through_a_backend_that_only_covers(by_cpu):
    ends_at_the_same_shape(optimised(CoveredByCpu()), by_cpu)


@pytest.mark.cuda
@pytest.mark.parametrize(("name", "device"), REAL)
def test_the_optimiser_through_a_real_backend(name, device, by_cpu):
    backend = usable(name, device)
    ends_at_the_same_shape(optimised(backend, device), by_cpu, 0.002 if name == "nvdiffrast" else 0.001)


# ---- the whole reconstruction

SAMPLE = Path(__file__).parents[2] / "data" / "dragon" / "unique3d"
FITTED = ("nvdiffrast", "cpu")
QUICK = [f"optimize.{stage}_steps=8" for stage in ("coarse", "fine", "refine")]


def reconstructed(size, *overrides):
    views = load_views(SAMPLE / "rgb", SAMPLE / "normals", options=LoadOptions(resolution=size))
    return reconstruct(views, load_config(None, list(overrides)))


def test_a_reconstruction_through_the_nvdiffrast_backend_says_so(fake_nvdiffrast):
    """And fits the views of 48 pixels about as well as the CPU backend does in the same few steps."""
    cpu = raster.get("cpu")
    fake_nvdiffrast.cover = lambda clip, tri, size: cpu.rasterize(clip[None], tri, size).face[0].long()
    results = [reconstructed(48, f"backend={n}", "initial.grid=32", "initial.depth=32", *QUICK) for n in FITTED]
    report = results[0].report
    assert report["backend"]["name"] == "nvdiffrast"
    assert "no commercial use" in report["backend"]["licence"]
    assert topology(results[0].mesh.vertices, results[0].mesh.faces).closed
    found, wanted = (min(row["silhouette_iou"] for row in result.report["views"]) for result in results)
    assert found > wanted - 0.06


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["nvdiffrast", "drtk", "pytorch3d"])
def test_a_whole_reconstruction_on_cuda(name):
    """The sample's views at 256 pixels with the default schedule: as good as on the CPU, within half a pixel or so."""
    usable(name, "cuda")
    fast, slow = reconstructed(256, "device=cuda", f"backend={name}"), reconstructed(256, "device=cpu")
    assert fast.report["device"].startswith("cuda")
    assert fast.report["backend"]["name"] == name
    shape = topology(fast.mesh.vertices.cpu(), fast.mesh.faces.cpu())
    assert (shape.closed, shape.manifold, shape.oriented) == (True, True, True)
    for a, b in zip(fast.report["views"], slow.report["views"], strict=True):
        assert a["silhouette_iou"] > b["silhouette_iou"] - 0.01
        assert a["normal_error_deg"] < b["normal_error_deg"] + 1.0
