"""The sample inputs: what their images and meshes promise, and that data/make.py makes them again."""

from __future__ import annotations

import io
import json
import math
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numba import njit
from PIL import Image
from scipy.ndimage import binary_dilation

from meshopt.data import corrupt, make, mesh_kernels, png, trace_kernels
from meshopt.data.objects import OBJECTS
from meshopt.data.render import SLAB, Scene
from meshopt.data.rigs import Rig, View, rig

ROOT = Path(make.__file__).parent
GENUS = {"dragon": 0, "robot": 2, "amphora": 2}
QUARTERS = 4
SETS = [(name, layout) for name in OBJECTS for layout in make.SIZES]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def views(name: str, layout: str) -> list[tuple[View, np.ndarray, np.ndarray]]:
    """Each view of a committed set with its RGBA colours and normals; a sheet is cut up."""
    result, size = [], make.SIZES[layout]
    for view in rig(layout, OBJECTS[name].radius).views:
        pair = [
            pixels(ROOT / name / layout / folder / file)
            for folder, file in zip(("rgb", "normals"), (view.rgb, view.normal), strict=True)
        ]
        if view.tile is not None:
            row, column = view.tile
            pair = [p[row * size : (row + 1) * size, column * size : (column + 1) * size] for p in pair]
        result.append((view, pair[0], pair[1]))
    return result


@cache
def scene_of(name: str) -> Scene:
    """One for all tests: its grid takes a while."""
    return Scene(OBJECTS[name])


def same_file(made: bytes, path: Path) -> bool:
    """Same bytes; where zlib is another implementation, whose bytes differ, the same pixels."""
    if "ng" in zlib.ZLIB_RUNTIME_VERSION and path.suffix == ".png":
        return np.array_equal(np.asarray(Image.open(io.BytesIO(made))), pixels(path))
    return made == path.read_bytes()


@pytest.mark.parametrize("name", OBJECTS)
def test_mesh_is_closed_manifold_and_in_place(name: str) -> None:
    mesh = trimesh.load(ROOT / name / "mesh.ply", process=False)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert mesh.body_count == 1
    assert mesh.euler_number == 2 - 2 * GENUS[name]
    assert 20_000 <= len(mesh.faces) <= 60_000
    _, counts = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
    assert (counts == 2).all()
    low, high = mesh.bounds
    assert np.abs(low + high).max() < 4e-3
    assert (high - low).max() == pytest.approx(1.8, abs=4e-3)
    assert np.linalg.norm(mesh.vertices, axis=1).max() <= OBJECTS[name].radius + 1e-3
    assert mesh.visual.kind == "vertex"


@pytest.mark.parametrize(("name", "layout"), SETS)
def test_normals_are_unit_and_face_the_camera(name: str, layout: str) -> None:
    for view, rgb, normal in views(name, layout):
        assert not normal[[0, -1], :, 3].any()
        assert not normal[:, [0, -1], 3].any()
        assert rgb.shape == normal.shape == (make.SIZES[layout], make.SIZES[layout], 4)
        assert np.array_equal(rgb[..., 3], normal[..., 3])
        solid, empty = normal[..., 3] == 255, normal[..., 3] == 0
        assert (rgb[empty][:, :3] == 255).all()
        vectors = normal[solid][:, :3] / 127.5 - 1.0
        assert np.abs(np.linalg.norm(vectors, axis=-1) - 1.0).max() < 0.01
        facing = vectors @ view.axes()[2] if view.frame == "world" else vectors[:, 2]
        if view.fov is None:
            assert facing.min() > -0.05
        mean = vectors.mean(0)
        expected = view.azimuth if view.frame == "world" else 0.0
        difference = (math.degrees(math.atan2(mean[0], mean[2])) - expected + 180.0) % 360.0 - 180.0
        assert abs(difference) < 25.0


@pytest.mark.parametrize(("name", "layout"), SETS)
def test_mesh_fills_the_silhouettes(name: str, layout: str) -> None:
    vertices = np.asarray(trimesh.load(ROOT / name / "mesh.ply", process=False).vertices)
    for view, _, normal in views(name, layout):
        right, up, back = view.axes()
        across = np.stack([vertices @ right, vertices @ up], -1)
        if view.fov is None:
            across = across / view.half
        else:
            depth = view.distance - vertices @ back
            across = across / (math.tan(math.radians(view.fov) / 2) * depth[:, None])
        size = len(normal)
        columns, rows = ((across * (1, -1) + 1) / 2 * size).T
        near = binary_dilation(normal[..., 3] > 0)
        covered = near[rows.astype(int).clip(0, size - 1), columns.astype(int).clip(0, size - 1)]
        assert covered.mean() > 0.997
        seen = np.argwhere(normal[..., 3] > 127)
        assert np.abs(seen.min(0) - [rows.min(), columns.min()]).max() < 1.5
        assert np.abs(seen.max(0) + 1 - [rows.max(), columns.max()]).max() < 1.5


@pytest.mark.parametrize(("name", "layout"), SETS)
def test_cameras_file_states_the_rig(name: str, layout: str) -> None:
    expected = make.cameras_json(OBJECTS[name], rig(layout, OBJECTS[name].radius))
    assert (ROOT / name / layout / "cameras.json").read_bytes() == expected
    for entry in json.loads(expected)["views"]:
        assert (ROOT / name / layout / "rgb" / entry["rgb"]).is_file()
        assert (ROOT / name / layout / "normals" / entry["normal"]).is_file()


def test_one_view_is_made_again_to_the_byte() -> None:
    scene = scene_of("amphora")
    view = rig("wonder3d", scene.sample.radius).views[1]
    rgb, normal = make.rgba(scene.render(view, make.SIZES["wonder3d"]), view)
    folder = ROOT / "amphora" / "wonder3d"
    assert same_file(png.encode(rgb), folder / "rgb" / view.rgb)
    assert same_file(png.encode(normal), folder / "normals" / view.normal)


def test_generated_set_is_made_again_from_the_rendered_one() -> None:
    name, layout = make.GENERATED
    cameras = rig(layout, OBJECTS[name].radius).views
    pairs = [(rgb, normal) for _, rgb, normal in views(name, layout)]
    files = corrupt.corrupted_set(pairs, cameras, corrupt.Corruption(), f"{name}/{layout}")
    for file, content in files.items():
        assert same_file(content, ROOT / name / f"{layout}-generated" / file), file


def test_generated_set_is_damaged_as_stated() -> None:
    name, layout = make.GENERATED
    folder = ROOT / name / f"{layout}-generated"
    truth = json.loads((folder / "truth.json").read_text())
    assert sum(entry["turn_degrees"] > 0 for entry in truth["views"]) == 1
    for entry, (view, _, clean) in zip(truth["views"], views(name, layout), strict=True):
        seen = pixels(folder / "normals" / view.normal)
        assert seen.shape == (make.SIZES[layout], make.SIZES[layout], 3)
        assert pixels(folder / "rgb" / view.rgb).shape == seen.shape
        assert seen[:4].max() < 12  # black background, but for the 8 x 8 noise
        vectors = seen[clean[..., 3] == 255] / 127.5 - 1.0
        assert np.median(np.linalg.norm(vectors, axis=-1)) == pytest.approx(0.85, abs=0.06)
        assert 4.0 < entry["normal_error_degrees"]["median"] < 14.0


@njit(nogil=True)
def _first_inside(distance, frame, ray, far):
    """The slow twin of `march`: small steps until the distance is negative."""
    t = 2.0
    while t < far:
        d = trace_kernels.scene_distance(distance, frame, ray[0] + t * ray[3], ray[1] + t * ray[4], ray[2] + t * ray[5])
        if d < 0.0:
            return t
        t += max(0.0005, 0.2 * d)
    return -1.0


def test_marching_agrees_with_small_steps() -> None:
    scene, stream = scene_of("amphora"), np.random.default_rng(3)
    o, spacing, differing, count = scene.sample, 2.0 / (len(scene.grid) - 1), 0, 3000
    for azimuth, u, v in stream.uniform((0, -0.9, -0.9), (360, 0.9, 0.9), (count, 3)):
        right, up, back = View("", "", "", azimuth).axes()
        ray = (*(u * right + v * up + 4.0 * back), *-back)
        fast = trace_kernels.march(o.distance, o.frame, scene.grid, -1.0, spacing, ray, o.lipschitz)
        slow = _first_inside(o.distance, o.frame, ray, 6.0)
        differing += (fast < 0) != (slow < 0) or (fast > 0 and not -1.5e-3 < fast - slow < 1e-4)
    assert differing <= count // 500  # grazing rays


def _torus(size: int) -> np.ndarray:
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij")
    return np.hypot(np.hypot(x, y) - 0.6, z) - 0.25


def test_extraction_and_thinning_keep_a_torus_a_torus() -> None:
    vertices, faces = mesh_kernels.marching_tetrahedra(_torus(40), -1.0, 2.0 / 39)
    dense = trimesh.Trimesh(vertices, faces, process=False)
    assert dense.is_watertight
    assert dense.is_winding_consistent
    assert dense.euler_number == 0
    volume = 2 * math.pi**2 * 0.6 * 0.25**2
    assert dense.volume == pytest.approx(volume, rel=0.02)
    alive = mesh_kernels.decimate(vertices, faces, 1200)
    thin = trimesh.Trimesh(vertices, faces[alive], process=False)
    assert len(thin.faces) <= 1200
    assert thin.is_watertight
    assert thin.is_winding_consistent
    assert thin.volume == pytest.approx(volume, rel=0.02)
    assert len(np.unique(faces[alive])) - len(faces[alive]) // 2 == 0


@pytest.mark.parametrize("channels", [3, 4])
def test_png_holds_the_pixels(channels: int) -> None:
    stream = np.random.default_rng(0)
    image = stream.integers(0, 256, (37, 23, channels), dtype=np.uint8)
    image[10:20] = np.arange(23, dtype=np.uint8)[:, None] * 5  # a ramp, and rows alike
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png.encode(image)))), image)


def test_zero_normals_stay_zero_when_turned() -> None:
    turns = np.full((2, 2, 3), 0.3)
    turned = corrupt.corrupt_kernels.turned(np.zeros((2, 2, 3)), turns)
    assert np.abs(turned).max() == 0.0
    quarter = corrupt.corrupt_kernels.turned(np.array([[[1.0, 0, 0]]]), np.array([[[0, 0, math.pi / 2]]]))
    assert np.allclose(quarter, [0, 1, 0])


def make_and_compare(name: str, folder: Path) -> None:
    """Fails unless `make` writes the files that are kept, all of them and no others, to the byte."""
    make.make(OBJECTS[name], folder)
    made = {p.relative_to(folder) for p in (folder / name).rglob("*") if p.is_file()}
    kept = {p.relative_to(ROOT) for p in (ROOT / name).rglob("*") if p.is_file()}
    assert made == kept
    for file in sorted(made):
        assert same_file((folder / file).read_bytes(), ROOT / file), file


@pytest.mark.exhaustive
def test_everything_is_made_again_to_the_byte(tmp_path: Path) -> None:
    """Of the object that takes the least time."""
    make_and_compare("amphora", tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", sorted(set(OBJECTS) - {"amphora"}))
def test_everything_is_made_again_to_the_byte_from_its_pictures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the rendering, of which the next test does a part."""

    def kept(scene: Scene, layout: Rig, size: int) -> list[make.Pair]:
        assert size == make.SIZES[layout.name]
        return [(rgb, normal) for _, rgb, normal in views(scene.sample.name, layout.name)]

    monkeypatch.setattr(make, "rendered", kept)
    make_and_compare(name, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "layout"), [pair for pair in SETS if pair[0] != "amphora"])
def test_every_view_is_rendered_again(name: str, layout: str) -> None:
    """A quarter of its rows, another one in each of four views: every height of the object is seen in each set."""
    scene, size = scene_of(name), make.SIZES[layout]
    for number, (view, rgb, normal) in enumerate(views(name, layout)):
        first = number % QUARTERS
        rows = np.arange(size) // SLAB % QUARTERS == first
        made = make.rgba(scene.render(view, size, slice(first, None, QUARTERS)), view)
        assert normal[rows, :, 3].any()
        assert np.array_equal(made[0][rows], rgb[rows])
        assert np.array_equal(made[1][rows], normal[rows])
