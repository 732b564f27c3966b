"""Sets of rendered views: every rig is read back as it was written, without a flag."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from meshopt import views as loading
from meshopt.errors import InputError
from meshopt.evaluate.view_sets import (
    RADIUS,
    SIDE,
    RenderOptions,
    check_render_folder,
    placing,
    write_views,
)
from meshopt.mesh import Mesh, Shading
from meshopt.rigs import load_rig
from meshopt.snapshots import snapshots

RIGS = ("unique3d", "wonder3d", "era3d", "pshuman", "zero123plus", "zero123plus-v1.1", "imagedream", "turntable:5")
BALL, CENTRE = 0.55, np.array([0.1, -0.15, 0.2])
OWN = {  # one camera oblong, one off the middle, in a scene of other units
    "views": [
        {"name": "a", "azimuth": 20, "elevation": 10, "type": "persp", "fov": 30, "distance": 4},
        {"name": "b", "azimuth": 100, "half": [1.5, 0.9], "centre": [0.1, -0.1]},
        {"name": "c", "azimuth": 250, "elevation": -30},
    ],
    "normal_frame": "camera",
}
NERF = {
    "camera_angle_x": 0.6,
    "w": 80,
    "h": 80,
    "frames": [
        {
            "file_path": f"./images/{i:04d}.png",
            "transform_matrix": [
                [math.cos(a), 0.0, math.sin(a), 4 * math.sin(a)],
                [math.sin(a), 0.0, -math.cos(a), -4 * math.cos(a)],
                [0, 1, 0, 0],
                [0, 0, 0, 1],
            ],
        }
        for i, a in enumerate((0.0, 1.5, 3.0, 4.5))
    ],
}


@pytest.fixture(scope="module")
def ball() -> Mesh:
    """A ball beside the origin, with the normals of a true one."""
    shape = trimesh.creation.icosphere(subdivisions=5)
    unit, faces = torch.tensor(shape.vertices), torch.tensor(shape.faces, dtype=torch.int32)
    return Mesh(
        (BALL * unit + torch.tensor(CENTRE)).float(), faces, ((unit + 1) / 2).float(), None, Shading(unit, faces)
    )


def rig_of(name: str, tmp_path: Path) -> str:
    if name not in ("own", "nerf"):
        return name
    file = tmp_path / ("transforms.json" if name == "nerf" else "mine.json")
    file.write_text(json.dumps(NERF if name == "nerf" else OWN))
    return str(file)


@pytest.mark.parametrize("name", [*RIGS, "own", "nerf"])
def test_what_is_written_is_read_back_without_a_flag(ball: Mesh, tmp_path: Path, name: str) -> None:
    options = RenderOptions(rig_of(name, tmp_path), resolution=80, layers=("normals", "rgb"))
    made = write_views(ball, options, tmp_path / "set")
    assert made.notes == ()
    assert set(made.paths) == {p.relative_to(tmp_path / "set").as_posix() for p in (tmp_path / "set").rglob("*.*")}
    found = loading.load_views(tmp_path / "set" / "rgb", tmp_path / "set" / "normals")
    assert found.rgb is not None
    assert f"normals read as {made.files.frame} frame, axes opengl" in " ".join(found.notes)
    shots = list(snapshots(ball, made.files.cameras, made.files.sizes))
    points = np.random.default_rng(0).normal(size=(50, 3)) * 0.3
    for view, (camera, shot) in enumerate(zip(found.cameras, shots, strict=True)):
        rows, columns = made.files.sizes[view]
        top, left = (80 - rows) // 2, (80 - columns) // 2
        inner = (slice(top, top + rows), slice(left, left + columns))
        uv, _ = made.files.cameras[view].project(points)
        scene = (points - np.asarray(found.offset)) / found.scale
        pixels = (camera.project(scene)[0] * (1, -1) + 1) * 40 - (left, top)
        assert np.allclose(pixels, (uv * (1, -1) + 1) / 2 * (columns, rows), atol=1e-6)
        mask, alpha = found.masks[view][inner], shot.alpha
        lost = (mask - alpha).abs() > 0.5 / 255 + 1e-6  # reading takes dark normals at the rim for black background
        assert lost.sum() < 0.02 * (alpha > 0).sum()
        assert (mask - alpha).abs().max() < 0.25
        whole = alpha == 1
        cosine = (found.normals[view][inner] * shot.normals).sum(-1)[whole]
        assert torch.rad2deg(cosine.clamp(-1, 1).arccos()).max() < 0.45  # half a step of 8 bits in each component
        assert (found.rgb[view][inner] - shot.rgb)[whole].abs().max() < 0.5 / 255 + 1e-6


@pytest.mark.parametrize("name", ["unique3d", "zero123plus", "nerf"])
@pytest.mark.parametrize("frame", ["world", "front", "camera"])
def test_any_frame_with_any_rig(ball: Mesh, tmp_path: Path, name: str, frame: str) -> None:
    """The normals of the ball are known from where its pixels are."""
    options = RenderOptions(rig_of(name, tmp_path), 64, names="plain", frame=frame)
    made = write_views(ball, options, tmp_path / "set")
    found = loading.load_views(tmp_path / "set")
    for view, camera in enumerate(made.files.cameras):
        origins, directions = camera.rays(64, 64)
        directions = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
        b = ((origins - CENTRE) * directions).sum(-1)
        with np.errstate(invalid="ignore"):
            along = -b - np.sqrt(b * b - ((origins - CENTRE) ** 2).sum(-1) + BALL**2)
        normals = (origins + along[..., None] * directions - CENTRE) / BALL
        facing = -(normals * directions).sum(-1) > 0.5
        angle = np.degrees(np.arccos(np.clip((normals * found.normals[view].numpy()).sum(-1), -1, 1)))[facing]
        assert facing.sum() > 200
        assert angle.max() < 0.6


def test_all_layers(ball: Mesh, tmp_path: Path) -> None:
    write_views(ball, RenderOptions("zero123plus", 32, layers=("depth", "masks", "rgb", "normals")), tmp_path)
    depth, mask = np.load(tmp_path / "depth" / "depth.npy"), np.asarray(Image.open(tmp_path / "masks" / "masks.png"))
    assert depth.shape == mask.shape == (96, 64)
    assert depth.dtype == np.float32
    assert ((depth > 0) == (mask > 127)).mean() > 0.99
    assert 3.0 < depth[depth > 0].min() < depth.max() < 4.5
    record = json.loads((tmp_path / "cameras.json").read_text())
    assert record["views"][3]["depth"] == "depth.npy"
    assert record["views"][3]["tile"] == [1, 1]
    normals = np.asarray(Image.open(tmp_path / "normals" / "normals.png"))
    assert normals[0, 0].tolist() == [128, 128, 128, 0]


def test_backgrounds(ball: Mesh, tmp_path: Path) -> None:
    write_views(ball, RenderOptions("wonder3d", 32, background="white"), tmp_path)
    assert Image.open(tmp_path / "rgb" / "rgb_000_front.png").mode == "RGB"
    assert Image.open(tmp_path / "normals" / "normals_000_front.png").mode == "RGBA"
    found = loading.load_views(tmp_path / "rgb", tmp_path / "normals")
    assert found.rgb is not None


@pytest.mark.parametrize("fit", ["box", "sphere"])
def test_a_mesh_of_any_size_is_fitted_in(ball: Mesh, tmp_path: Path, fit: str) -> None:
    far = replace(ball, vertices=ball.vertices * 300 + 1000)
    scale, offset = placing(far, fit)
    assert scale == pytest.approx(600 * BALL / SIDE if fit == "box" else 300 * BALL / RADIUS, rel=1e-3)
    assert np.allclose(offset, CENTRE * 300 + 1000, atol=1e-2)
    made = write_views(far, RenderOptions("unique3d", 64, fit=fit), tmp_path)
    assert made.notes == ()
    record = json.loads((tmp_path / "cameras.json").read_text())
    assert record["mesh"] == {"scale": scale, "offset": list(offset)}
    alpha = np.asarray(Image.open(tmp_path / "rgb" / "000.png"))[..., 3] / 255
    radius = SIDE / 2 if fit == "box" else RADIUS
    assert 4 * alpha.mean() == pytest.approx(math.pi * radius**2, rel=3e-3)


def test_the_ball_is_whole_in_every_rig() -> None:
    for name in RIGS:
        for camera in load_rig(name).cameras():
            tangent = camera.half_extent[0]
            whole = tangent if camera.projection == "orthographic" else 1 / math.hypot(1, tangent)
            assert whole > RADIUS, name


def test_a_mesh_outside_all_views_writes_nothing(ball: Mesh, tmp_path: Path) -> None:
    far = replace(ball, vertices=ball.vertices + 10)
    words = r"no view of unique3d sees the mesh, which spans x 9\.55 to 10\.6, .*inside \[-1, 1\]; --fit box"
    with pytest.raises(InputError, match=words):
        write_views(far, RenderOptions("unique3d", 32), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_notes(ball: Mesh, tmp_path: Path) -> None:
    aside = replace(ball, vertices=ball.vertices + torch.tensor([1.0, 0, 0]), colors=None)
    made = write_views(aside, RenderOptions("unique3d", 32), tmp_path / "a")
    assert made.notes == (
        "the mesh has no colours: they are grey in the pictures.",
        "the mesh reaches beyond the images of front, back: --fit box makes it fit in.",
    )
    away = replace(ball, vertices=ball.vertices + torch.tensor([2.0, 0, 0]))
    made = write_views(away, RenderOptions("unique3d", 32, layers=("normals",)), tmp_path / "b")
    assert made.notes[0] == "the mesh is not seen by front, back."
    assert not (tmp_path / "b" / "rgb").exists()
    large = replace(ball, vertices=ball.vertices * 2)
    assert "--fit sphere" in write_views(large, RenderOptions("zero123plus", 32), tmp_path / "c").notes[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rig": "wonder3"}, r"--rig 'wonder3' is neither .*did you mean wonder3d\?"),
        ({"rig": "auto"}, r"--rig auto tells a rig by its pictures: expected era3d, .*turntable:N or a \.json file"),
        ({"rig": "none.json"}, r"cameras file none\.json cannot be read"),
        ({"names": "fancy"}, "--names 'fancy' is unknown, expected rig or plain"),
        ({"frame": "object"}, "--normal-frame 'object' is unknown"),
        ({"layers": ("rgb", "uv")}, "--layers 'uv' is unknown, expected rgb, normals, masks or depth"),
        ({"layers": ()}, "--layers is empty, expected some of rgb"),
        ({"background": "pink"}, "--background 'pink' is unknown, expected alpha, white, grey or black"),
        ({"fit": "cube"}, "--fit 'cube' is unknown, expected none, box or sphere"),
        ({"resolution": 8}, "--resolution 8 is out of range, expected 16 to 4096"),
    ],
)
def test_bad_options(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_render_folder(RenderOptions(**({"rig": "unique3d"} | change)), tmp_path)  # type: ignore[arg-type]


def test_older_files_need_overwrite_and_go(ball: Mesh, tmp_path: Path) -> None:
    options = RenderOptions("unique3d", 32, layers=("rgb", "masks"))
    write_views(ball, options, tmp_path)
    with pytest.raises(InputError, match=r"already holds a result .*cameras\.json.*--overwrite"):
        write_views(ball, options, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    write_views(ball, replace(options, layers=("normals",)), tmp_path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cameras.json", "normals", "notes.txt"]


def test_files_of_another_rig_go_too_but_only_those(ball: Mesh, tmp_path: Path) -> None:
    write_views(ball, RenderOptions("wonder3d", 32), tmp_path)
    (tmp_path / "rgb" / "mine.png").write_bytes(b"mine")
    write_views(ball, RenderOptions("unique3d", 32), tmp_path, overwrite=True)
    assert sorted(p.name for p in (tmp_path / "rgb").iterdir()) == [
        "000.png",
        "001.png",
        "002.png",
        "003.png",
        "mine.png",
    ]
    for record in ("{", "[]", '{"views": 3}', '{"written_by": "meshopt", "views": [{"rgb": "../../x"}, {"rgb": 3}]}'):
        (tmp_path / "cameras.json").write_text(record)
        write_views(ball, RenderOptions("unique3d", 32), tmp_path, overwrite=True)
    assert (tmp_path / "rgb" / "mine.png").exists()


def test_the_same_bytes_every_time(ball: Mesh, tmp_path: Path) -> None:
    for name in "ab":
        write_views(ball, RenderOptions("zero123plus", 32, layers=("rgb", "normals", "depth")), tmp_path / name)
    for file in (tmp_path / "a").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()


def test_rigs_are_not_changed_by_it() -> None:
    assert load_rig("wonder3d").written.rgb == "rgb_000_{view}"
    assert load_rig("turntable:4").written.sheet is None
