"""From views to a mesh: what every reconstruction promises, on views of known shapes and on the samples."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

import meshopt
from meshopt import parallel
from meshopt.cameras import Camera
from meshopt.config import Config, load_config
from meshopt.consistency.corrections import Turned
from meshopt.errors import InputError
from meshopt.io.meshes import save_mesh
from meshopt.mesh import Mesh
from meshopt.pipeline import Progress, Reconstruction, reconstruct
from meshopt.topology import topology
from meshopt.views import LoadOptions, ViewSet, load_views

ROOT = Path(__file__).parents[1]
SIX = ("front", "front_right", "right", "back", "left", "front_left")
AZIMUTHS = (0.0, 45.0, 90.0, 180.0, 270.0, 315.0)
ORBIT = tuple(Camera.orbit(name, azimuth) for name, azimuth in zip(SIX, AZIMUTHS, strict=True))
QUICK = (
    "initial.grid=48",
    "initial.depth=48",
    "optimize.coarse_steps=8",
    "optimize.fine_steps=5",
    "optimize.refine_steps=3",
    "texture.size=512",
)
BARE = ("texture.kind=vertex", "check.enabled=false")
See = Callable[..., ViewSet]


def whole(*overrides: str) -> Config:
    """Few steps on coarse grids."""
    return load_config(None, [*QUICK, *overrides])


def quick(*overrides: str) -> Config:
    """The same without checks and texture, at a third of the time."""
    return whole(*BARE, *overrides)


def as_mesh(shape: trimesh.Trimesh) -> Mesh:
    vertices = torch.tensor(np.array(shape.vertices), dtype=torch.float32)
    return Mesh(vertices, torch.tensor(np.array(shape.faces), dtype=torch.int32), 0.5 + 0.4 * vertices.clamp(-1, 1))


def sample(name: str, size: int = 96) -> ViewSet:
    folder = ROOT / "data" / name
    return load_views(folder / "rgb", folder / "normals", options=LoadOptions(resolution=size))


def scores(result: Reconstruction) -> tuple[float, float]:
    """The lowest silhouette IoU and the highest mean normal error of all views."""
    rows = result.report["views"]
    return min(row["silhouette_iou"] for row in rows), max(row["normal_error_deg"] for row in rows)


def check_closed(result: Reconstruction) -> None:
    """What is promised of every result."""
    shape = topology(result.mesh.vertices, result.mesh.faces)
    assert shape.closed
    assert shape.manifold
    assert shape.oriented
    assert shape.volume > 0
    assert bool(torch.isfinite(result.mesh.vertices).all())
    assert result.report["topology_line"] == shape.line()


def equal(one: Mesh, two: Mesh) -> bool:
    """To the last bit."""
    assert one.colors is not None
    assert two.colors is not None
    pairs = ((one.vertices, two.vertices), (one.faces, two.faces), (one.colors, two.colors))
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def torus() -> Mesh:
    """Its hole faces the front camera, a little turned."""
    shape = trimesh.creation.torus(0.55, 0.22, major_sections=48, minor_sections=24)
    shape.apply_transform(trimesh.transformations.rotation_matrix(0.2, (1, 0.5, 0)))
    return as_mesh(shape)


@pytest.fixture(scope="module")
def ellipsoid() -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions=4)
    return as_mesh(trimesh.Trimesh(shape.vertices * (0.7, 0.5, 0.4) + (0.05, -0.1, 0.02), shape.faces, process=False))


@pytest.fixture(scope="module")
def views(torus: Mesh, seen: See) -> ViewSet:
    return seen(torus, ORBIT)


@pytest.fixture(scope="module")
def result(views: ViewSet) -> Reconstruction:
    return reconstruct(views, whole())


@pytest.fixture(scope="module")
def bare(views: ViewSet) -> Reconstruction:
    return reconstruct(views, quick())


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_torus_is_a_torus(result: Reconstruction, torus: Mesh) -> None:
    check_closed(result)
    shape = result.report["topology"]
    assert (shape["components"], shape["genus"], shape["euler"]) == (1, 1, 0)
    iou, error = scores(result)
    assert iou > 0.97
    assert error < 8.0
    truth = topology(torus.vertices, torus.faces).volume
    assert topology(result.mesh.vertices, result.mesh.faces).volume == pytest.approx(truth, rel=0.05)


def test_colors_are_the_views(result: Reconstruction) -> None:
    """The torus's colour is its position."""
    assert result.mesh.colors is not None
    wrong = (result.mesh.colors - (0.5 + 0.4 * result.mesh.vertices)).abs().amax(-1)
    assert float(wrong.quantile(0.9)) < 0.1


@pytest.mark.parametrize("name", ["dragon/wonder3d", "robot/unique3d", "amphora/zero123plus"])
def test_samples(name: str) -> None:
    found = reconstruct(sample(name), whole("initial.grid=64", "initial.depth=64"))
    check_closed(found)
    iou, error = scores(found)
    assert iou > 0.9
    assert error < 20.0


def test_same_bytes_for_any_number_of_threads(views: ViewSet, result: Reconstruction) -> None:
    with parallel.limit(1):
        again = reconstruct(views, whole())
    assert equal(result.mesh, again.mesh)
    assert result.curves == again.curves
    for row in [*result.report["stages"], *again.report["stages"]]:
        row.pop("seconds", None)
    assert result.report == again.report


@pytest.mark.parametrize("faces", [800, 5000])
def test_number_of_faces_is_met(views: ViewSet, faces: int) -> None:
    found = reconstruct(views, quick(f"output.faces={faces}"))
    check_closed(found)
    assert len(found.mesh.faces) == pytest.approx(faces, rel=0.05)
    assert found.report["topology"]["genus"] == 1


def test_one_view(ellipsoid: Mesh, seen: See) -> None:
    found = reconstruct(seen(ellipsoid, ORBIT[:1]), quick())
    check_closed(found)
    assert found.report["topology"]["euler"] == 2
    assert scores(found)[0] > 0.95
    assert scores(found)[1] < 10.0
    notes = " ".join(found.report["notes"])
    assert "initial mesh: normals" in notes
    assert "no view shows" in notes


def test_front_and_back(ellipsoid: Mesh, seen: See) -> None:
    found = reconstruct(seen(ellipsoid, (ORBIT[0], ORBIT[3])), quick())
    check_closed(found)
    assert scores(found)[0] > 0.95
    assert "how thick the object is was guessed" in " ".join(found.report["notes"])


def test_perspective_cameras(torus: Mesh, seen: See) -> None:
    angles = zip((30, 90, 150, 210, 270, 330), (20, -10) * 3, strict=True)
    cameras = tuple(Camera.orbit(f"{k:03d}", a, e, fov=30.0) for k, (a, e) in enumerate(angles))
    found = reconstruct(seen(torus, cameras), quick())
    check_closed(found)
    assert found.report["topology"]["genus"] == 1
    assert scores(found)[0] > 0.95
    assert scores(found)[1] < 10.0


def test_no_colours(views: ViewSet, bare: Reconstruction) -> None:
    found = reconstruct(replace(views, rgb=None), quick())
    check_closed(found)
    assert found.mesh.colors is not None
    assert len(found.mesh.colors.unique()) == 1  # grey
    assert found.renders.rgb is None
    assert torch.equal(found.mesh.vertices, bare.mesh.vertices)


@pytest.mark.parametrize("method", ["hull", "normals", "sphere"])
def test_initial_methods(ellipsoid: Mesh, seen: See, method: str) -> None:
    found = reconstruct(seen(ellipsoid, ORBIT), quick(f"initial.method={method}"))
    check_closed(found)
    assert f"initial mesh: {method}" in found.report["notes"]
    assert scores(found)[0] > (0.7 if method == "normals" else 0.95)  # from two views, the thickness is a guess


def test_given_mesh_with_seams(ellipsoid: Mesh, seen: See, tmp_path: Path) -> None:
    """A GLB whose triangles share no vertices is welded; coordinates are in the cameras' units."""
    scale, offset = 2.0, (1.0, -3.0, 0.5)
    corners = ellipsoid.faces.long().reshape(-1)
    shape = trimesh.Trimesh(
        (ellipsoid.vertices[corners] * scale + torch.tensor(offset)).numpy(),
        np.arange(len(corners)).reshape(-1, 3),
        process=False,
    )
    shape.export(tmp_path / "soup.glb")
    views = replace(seen(ellipsoid, ORBIT), scale=scale, offset=offset)
    found = reconstruct(views, quick(f"initial.method={tmp_path / 'soup.glb'}"))
    check_closed(found)
    assert "initial mesh: given" in found.report["notes"]
    assert found.report["topology"]["components"] == 1
    assert found.report["stages"][0]["faces"] == len(ellipsoid.faces)
    assert scores(found)[0] > 0.97


def test_given_mesh_that_is_open(ellipsoid: Mesh, seen: See, tmp_path: Path) -> None:
    """A small hole is filled and said; half a mesh is refused."""
    for name, kept in (("hole", 20), ("half", len(ellipsoid.faces) // 2)):
        order = torch.argsort(ellipsoid.vertices[ellipsoid.faces.long()].mean(1)[:, 0])
        save_mesh(Mesh(ellipsoid.vertices, ellipsoid.faces[order[kept:]]), tmp_path / f"{name}.ply")
    views = seen(ellipsoid, ORBIT)
    found = reconstruct(views, quick(f"initial.method={tmp_path / 'hole.ply'}"))
    check_closed(found)
    assert "was not closed" in " ".join(found.report["notes"])
    with pytest.raises(InputError, match=r"--init.* is not closed"):
        reconstruct(views, quick(f"initial.method={tmp_path / 'half.ply'}"))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("initial.method=none.glb",), r"none\.glb: no such file"),
        (("device=quantum",), "--device quantum: not usable here"),
        (("backend=opengl",), "no rasteriser 'opengl'; choose one of auto, .*cpu"),
    ],
)
def test_settings_that_cannot_be_used(views: ViewSet, overrides: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        reconstruct(views, quick(*overrides))
    assert "\n" not in str(caught.value)


def test_masks_that_share_no_volume(views: ViewSet) -> None:
    """As where files and cameras are mixed up."""
    masks = torch.zeros_like(views.masks)
    masks[:3, 4:20, 20:44] = masks[3:, 44:60, 20:44] = 1.0
    with pytest.raises(InputError, match=r"the masks of views front and .* share no volume: check --rig"):
        reconstruct(replace(views, masks=masks), quick())


def test_weight_of_a_view(ellipsoid: Mesh, seen: See) -> None:
    """A view of other normals disturbs the result, unless its weight is 0."""
    views = seen(ellipsoid, ORBIT)
    turned = views.normals.clone()
    turned[1] = turned[1].flip(1)
    broken = replace(views, normals=turned)
    found = [reconstruct(broken, quick(f"optimize.view_weights={w}")) for w in ("{}", "{front_right: 0}")]
    error = [
        np.mean([row["normal_error_deg"] for row in one.report["views"] if row["name"] != SIX[1]]) for one in found
    ]
    assert error[1] < 0.8 * error[0]
    for one in found:
        check_closed(one)


def test_progress_sees_every_stage(views: ViewSet) -> None:
    heard: list[Progress] = []
    found = reconstruct(views, whole("output.faces=2000"), heard.append)
    assert list(dict.fromkeys(p.stage for p in heard)) == [s["name"] for s in found.report["stages"]]
    names = ("check", "initial", "coarse", "fine", "refine", "faces", "untangle", "color", "texture")
    assert set(names) == {p.stage for p in heard}
    for stage in {p.stage for p in heard}:
        steps = [p for p in heard if p.stage == stage]
        assert all(0 <= p.step <= p.total for p in steps)
        assert steps[-1].step == steps[-1].total
    assert [len(found.curves[stage]["normal"]) for stage in ("coarse", "fine", "refine")] == [8, 5, 3]
    assert sum(p.stage == "coarse" and "faces" in p.info for p in heard) >= 8


def test_an_exception_in_progress_stops(views: ViewSet, bare: Reconstruction, two_threads: None) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.stage == "coarse" and progress.step == 3:
            raise Stop

    with pytest.raises(Stop):
        reconstruct(views, quick(), stop)
    assert torch.get_num_threads() == 2
    assert equal(reconstruct(views, quick()).mesh, bare.mesh)


def test_no_global_state(views: ViewSet, two_threads: None) -> None:
    def state() -> list[Any]:
        random = np.random.get_state()  # noqa: NPY002
        return [
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_rng_state().tolist(),
            np.asarray(random[1]).tolist(),
            np.geterr(),
        ]

    before = state()
    inputs = [views.normals.clone(), views.masks.clone()]
    reconstruct(views, quick())
    assert state() == before
    assert torch.equal(inputs[0], views.normals)
    assert torch.equal(inputs[1], views.masks)


def test_two_at_once_are_as_alone(
    views: ViewSet, ellipsoid: Mesh, seen: See, bare: Reconstruction, two_threads: None
) -> None:
    """Bytes, and what torch is left with, in each thread."""
    other = seen(ellipsoid, ORBIT)
    alone = [bare, reconstruct(other, quick())]

    def work(given: ViewSet) -> tuple[Reconstruction, int]:
        torch.set_num_threads(2)
        return reconstruct(given, quick()), torch.get_num_threads()

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(work, (views, other)))
    assert [threads for _, threads in found] == [2, 2]
    assert all(equal(one.mesh, two.mesh) for one, (two, _) in zip(alone, found, strict=True))
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("surroundings", ["dtype", "device", "autocast", "numpy"])
def test_surroundings_do_not_matter(views: ViewSet, bare: Reconstruction, surroundings: str) -> None:
    """What the program around has told torch and numpy to do."""
    with contextlib.ExitStack() as stack:
        if surroundings == "dtype":
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float64)
        elif surroundings == "device":
            stack.callback(torch.set_default_device, None)
            torch.set_default_device("meta")
        elif surroundings == "autocast":
            stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        else:
            stack.enter_context(np.errstate(all="raise"))
        found = reconstruct(views, quick())
        assert surroundings != "dtype" or torch.get_default_dtype() == torch.float64
    assert equal(found.mesh, bare.mesh)


def test_inference_mode(torus: Mesh, seen: See, bare: Reconstruction) -> None:
    """In the midst of a generator's pipeline, on its tensors."""
    with torch.inference_mode():
        found = reconstruct(seen(torus, ORBIT), quick())
        assert equal(found.mesh, bare.mesh)
    later = reconstruct(found.views, quick("optimize.coarse_steps=1"))
    check_closed(later)


def test_world_mesh_is_in_the_users_units(views: ViewSet, result: Reconstruction) -> None:
    assert torch.equal(result.world_mesh.vertices, result.mesh.vertices)
    moved = replace(result, views=replace(views, scale=2.5, offset=(1.0, -2.0, 30.0)))
    assert torch.allclose(moved.world_mesh.vertices, result.mesh.vertices * 2.5 + torch.tensor([1.0, -2.0, 30.0]))
    assert torch.equal(moved.world_mesh.faces, result.mesh.faces)


def test_report_is_plain_and_documented(result: Reconstruction) -> None:
    assert json.loads(json.dumps(result.report, allow_nan=False))
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    parts = re.split("Each entry of `views`|Of the texture", text)
    tables = [set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) for part in parts]
    assert set(result.report) == tables[0] - {"schema", "files", "curves"}  # these belong to the file
    assert set(result.report["views"][0]) == tables[1]
    assert set(result.report["texture"]) == tables[2]
    assert result.report["version"] == meshopt.__version__


def test_unusual_numbers_of_steps(views: ViewSet) -> None:
    none = ("optimize.coarse_steps=0", "optimize.fine_steps=0", "optimize.refine_steps=0")
    check_closed(reconstruct(views, quick(*none)))


def test_a_part_that_is_less_than_a_pixel_is_left_out(views: ViewSet, torus: Mesh, tmp_path: Path) -> None:
    speck = as_mesh(trimesh.creation.icosphere(0, radius=1e-4))
    faces = torch.cat([torus.faces, speck.faces + len(torus.vertices)])
    save_mesh(Mesh(torch.cat([torus.vertices, speck.vertices]), faces), tmp_path / "both.ply")
    none = ("optimize.coarse_steps=0", "optimize.fine_steps=0", "optimize.refine_steps=0")
    result = reconstruct(views, quick(*none, f"initial.method={tmp_path / 'both.ply'}"))
    check_closed(result)
    assert len(result.mesh.vertices) == len(torus.vertices)


FLIP = Turned(2, np.diag([1.0, -1.0, 1.0]))  # of right's normals: nothing is surer
KEYS = {"verdict", "score", "findings", "corrections"}


@pytest.fixture(scope="module")
def flipped(ellipsoid: Mesh, seen: See) -> ViewSet:
    return FLIP.apply(seen(ellipsoid, ORBIT))


def test_a_view_that_lies_is_mended_and_told(flipped: ViewSet, ellipsoid: Mesh, seen: See) -> None:
    found = reconstruct(flipped, whole())
    check_closed(found)
    report = found.report
    assert report["verdict"] == "inconsistent"
    assert report["score"] > 0
    assert [f["views"] for f in report["findings"] if f["code"] == "flipped"] == [("right",)]
    assert [c["view"] for c in report["corrections"] if c["kind"] == "normals"] == ["right"]
    rows = {row["name"]: row for row in report["views"]}
    assert (rows["right"]["verdict"], rows["back"]["verdict"]) == ("inconsistent", "ok")
    assert rows["right"]["score"] == max(row["score"] for row in rows.values())
    assert scores(found)[1] < 10.0
    assert torch.allclose(found.views.normals, seen(ellipsoid, ORBIT).normals, atol=1e-5)
    assert json.loads(json.dumps(report, allow_nan=False))


def test_what_the_first_look_leaves_is_turned_back_on_the_way(ellipsoid: Mesh, seen: See) -> None:
    """Less than what is a finding; and said where it was done."""
    clean = seen(ellipsoid, ORBIT)
    angle = np.radians(4.5)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    views = Turned(2, turn).apply(clean)
    found = reconstruct(views, whole("check.rotation=40"))
    stages = {stage["name"]: stage for stage in found.report["stages"]}
    assert "turned" not in stages["coarse"]
    assert stages["fine"]["turned"]["right"] == pytest.approx(4.5, abs=2)
    first = next(c for c in found.report["corrections"] if c["view"] == "right")
    assert np.allclose(np.array(first["matrix"]) @ turn, np.eye(3), atol=0.04)
    assert (found.views.normals - clean.normals).abs().mean() < 0.5 * (views.normals - clean.normals).abs().mean()
    untouched = reconstruct(views, whole("check.rotation=40", "check.correct=false"))
    assert not any("turned" in stage for stage in untouched.report["stages"])
    assert torch.equal(untouched.views.normals, views.normals)


def test_without_correction_views_are_as_they_came(flipped: ViewSet) -> None:
    found = reconstruct(flipped, whole("check.correct=false"))
    assert found.report["verdict"] == "inconsistent"
    assert found.report["findings"]
    assert found.report["corrections"] == []
    assert torch.equal(found.views.normals, flipped.normals)
    assert scores(found)[1] > 20.0  # it fits the others


def test_strict_stops_before_the_colours(flipped: ViewSet, views: ViewSet, result: Reconstruction) -> None:
    found = reconstruct(flipped, whole("check.strict=true"))
    check_closed(found)
    assert found.mesh.colors is None
    assert found.renders.rgb is None
    assert "color" not in {stage["name"] for stage in found.report["stages"]}
    assert "stopped before the colours" in found.report["notes"][-1]
    assert {row["name"] for row in found.report["views"]} == set(SIX)
    if result.report["verdict"] != "inconsistent":
        assert equal(reconstruct(views, whole("check.strict=true")).mesh, result.mesh)


def test_checks_may_be_left_out(views: ViewSet, result: Reconstruction) -> None:
    found = reconstruct(views, whole("check.enabled=false"))
    assert not KEYS & set(found.report)
    assert set(found.report["views"][0]) == {"name", "silhouette_iou", "normal_error_deg", "colour_psnr_db"}
    assert "check" not in {stage["name"] for stage in found.report["stages"]}
    assert set(result.report) - set(found.report) == KEYS
    if not result.report["corrections"]:
        assert equal(found.mesh, result.mesh)
