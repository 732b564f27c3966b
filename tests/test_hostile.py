"""Hostile input: whatever is in a file, it is read, or refused in one sentence, at once and in little memory."""

from __future__ import annotations

import errno
import json
import os
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from meshopt.checkpoints import Checkpoint, CheckpointFile, Record, load_checkpoint
from meshopt.cli import run
from meshopt.config import load_config
from meshopt.errors import InputError
from meshopt.generate import folders
from meshopt.io.camera_files import read_cameras
from meshopt.io.files import read_bytes, read_json
from meshopt.io.images import read_image
from meshopt.io.limits import MeshLimits
from meshopt.io.meshes import load_mesh
from meshopt.mesh import Mesh
from meshopt.report.folder import finished_report
from meshopt.report.record import encode_record
from meshopt.views import load_views

SAMPLE = Path(__file__).parents[1] / "data" / "dragon"
FOLDER = Path(__file__).parents[1] / "benchmarks"
TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
TRIANGLES = Mesh(torch.eye(3), torch.tensor([[0, 1, 2]], dtype=torch.int32))
QUICK = ("png", "png 16 bits", "jpeg", "bmp", "exr", "npy", "cameras", "transforms", "settings", "gltf", "glb", "obj",
         "ply", "stl", "off", "report", "checkpoint")  # fmt: skip


@pytest.fixture(scope="module")
def fuzz(module_at: Callable[[Path, str], ModuleType]) -> Iterator[ModuleType]:
    """The benchmark's script."""
    sys.path.insert(0, str(FOLDER))
    yield module_at(FOLDER / "fuzz.py", "fuzz_benchmark")
    sys.path.remove(str(FOLDER))


@given(st.sampled_from(QUICK), st.integers(10, 10**9))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_damaged_files_are_read_or_refused(
    fuzz: ModuleType, tmp_path_factory: pytest.TempPathFactory, reader: str, number: int
) -> None:
    folder = tmp_path_factory.mktemp("case")
    case = fuzz.Case(reader, 1, number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome, words = fuzz.read(case, folder, case.write(folder))
    assert outcome != "failed", words


def refused(call: Callable[[], Any], words: str) -> None:
    """The call is refused in one sentence that says so."""
    with pytest.raises(InputError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def gltf(folder: Path, **more: Any) -> Path:
    """A glTF file of a triangle, with other keys instead."""
    (folder / "a.bin").write_bytes(struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0))
    tree = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"uri": "a.bin", "byteLength": 36}],
        **more,
    }
    (folder / "a.gltf").write_text(json.dumps(tree))
    return folder / "a.gltf"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"nodes": [{"mesh": 0, "children": [1]}, {"children": [0]}]}, "no trees"),
        ({"nodes": [*({"children": [i + 1, i + 1]} for i in range(40)), {"mesh": 0}]}, "no trees"),
        ({"nodes": [{"mesh": 0}] * 100_000}, "100000 parts"),
        ({"accessors": [{"componentType": 5126, "count": 10**9, "type": "VEC3"}]}, "12000 MB"),
        ({"bufferViews": [{"buffer": 0, "byteLength": 10**6}] * 1000}, "1000 MB, more than the limit of 268 MB"),
        ({"buffers": [{"uri": "../a.bin", "byteLength": 42}]}, "in its own folder"),
        ({"buffers": [{"uri": "/etc/passwd", "byteLength": 42}]}, "in its own folder"),
    ],
)
def test_gltf_that_describes_more_than_it_holds(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    refused(lambda: load_mesh(gltf(tmp_path, **more)), words)


def test_limits_of_meshes_are_settings(tmp_path: Path) -> None:
    file = tmp_path / "a.obj"
    file.write_text(TRIANGLE + "f 1 2 3\n" * 5)
    assert len(load_mesh(file).faces) == 5
    refused(lambda: load_mesh(file, limits=MeshLimits(max_faces=4)), "5 faces, more than the limit of 4")
    refused(lambda: load_mesh(file, limits=MeshLimits(max_bytes=20)), "meshes.max_bytes")
    assert load_config(None, ["meshes.max_faces=4"]).meshes.limits.max_faces == 4


@pytest.mark.parametrize(
    "command",
    [
        ["view", "MESH"],
        ["render", "MESH", "--rig", "wonder3d", "-o", "OUT"],
        ["ablate", "MESH", "--rig", "wonder3d", "--corrupt", "noise", "-o", "OUT"],
        ["evaluate", "MESH", "--gt", "SMALL"],
        ["evaluate", "SMALL", "--gt", "MESH"],
        ["texture", "MESH", "--views", str(SAMPLE / "wonder3d/rgb"), "-o", "OUT"],
        ["reconstruct", "--normals", str(SAMPLE / "wonder3d/normals"), "--init", "MESH", "-o", "OUT"],
    ],
)
def test_commands_keep_to_the_limits_of_meshes(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"MESH": str(tmp_path / "a.obj"), "SMALL": str(tmp_path / "b.obj"), "OUT": str(tmp_path / "out")}
    (tmp_path / "a.obj").write_text(TRIANGLE + "f 1 2 3\n" * 5)
    (tmp_path / "b.obj").write_text(TRIANGLE + "f 1 2 3\n")
    assert run([*(places.get(word, word) for word in command), "--set", "meshes.max_faces=4"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "has 5 faces, more than the limit of 4 (setting meshes.max_faces)" in said


def test_obj_of_many_materials_long_spaces_and_wide_fans(tmp_path: Path) -> None:
    file = tmp_path / "a.obj"
    file.write_text(TRIANGLE + "".join(f"usemtl m{i}\nf 1 2 3\n" for i in range(5000)))
    refused(lambda: load_mesh(file, textures=True), "uses 5000 materials")
    file.write_text("mtllib a" + " " * 100_000 + "b\n" + TRIANGLE + "f 1 2 3\n")
    refused(lambda: load_mesh(file, textures=True), "cannot be read as a mesh")
    file.write_text(TRIANGLE + "f " + " ".join(str(1 + i % 3) for i in range(60_000)) + "\n")
    assert len(load_mesh(file).faces)


def test_links_out_of_a_meshs_folder(tmp_path: Path) -> None:
    """A texture may be a link within the folder, or, where the mesh is one, beside what the mesh leads to."""
    inner = tmp_path / "inner"
    inner.mkdir()
    file = gltf(inner)
    (inner / "a.bin").rename(tmp_path / "secret.bin")
    (inner / "a.bin").symlink_to(tmp_path / "secret.bin")
    refused(lambda: load_mesh(file), "leads out of its folder")
    (tmp_path / "secret.bin").rename(inner / "b.bin")
    (inner / "a.bin").unlink()
    (inner / "a.bin").symlink_to("b.bin")
    assert len(load_mesh(file).faces) == 1
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("a.gltf", "a.bin"):
        (cache / name).symlink_to(inner / name)
    assert len(load_mesh(cache / "a.gltf").faces) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_and_devices_do_not_hang(tmp_path: Path) -> None:
    def reads() -> None:
        for name in ("a.json", "a.png", "a.obj", "a.gltf", "report.json", "checkpoint.safetensors"):
            os.mkfifo(tmp_path / name)
        refused(lambda: read_cameras(tmp_path / "a.json"), "pipe or a device")
        refused(lambda: read_cameras(Path("/dev/zero")), "pipe or a device")
        refused(lambda: read_image(tmp_path / "a.png"), "not a file")
        refused(lambda: load_mesh(tmp_path / "a.obj"), "no such file")
        refused(lambda: load_config(tmp_path / "a.json"), "no such file")
        refused(lambda: load_checkpoint(tmp_path / "checkpoint.safetensors"), "is a pipe")
        assert finished_report(tmp_path, "") is None
        done.append(True)

    done: list[bool] = []
    thread = threading.Thread(target=reads, daemon=True)
    thread.start()
    thread.join(20)
    assert done


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [x, x]\nb: [*a, *a]\n", "aliases"),
        ("[" * 500 + "]" * 500, "nested more than"),
        ("? [1, 2]\n: 3\n", "a key is not a text"),
        ("seed: 0x" + "f" * 5000, "YAML"),
        ("2001-01-01: 1\n", "YAML"),
        ("seed: .nan\n", "seed"),
    ],
)
def test_settings_that_laugh(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    refused(lambda: load_config(tmp_path / "a.yaml"), words)


@pytest.mark.parametrize(
    ("views", "words"),
    [
        ([{"azimuth": 0}] * 2000, "2000 views, more than the limit of 1000"),
        ([{"azimuth": 0, "type": {}}], "'type'"),
        ([{"azimuth": 10**400}], "'azimuth'|not valid JSON"),
        ([{"azimuth": 0, "half": 1e300}], "'half' is 1e\\+300"),
        ([{"azimuth": 0, "name": "\ud800"}], "halves of characters"),
        ([{"azimuth": 0, "name": "a" * 5000}], "'name'"),
        ([{"camera_to_world": [[1e300, 0, 0, 0]] * 4}], "'camera_to_world'"),
        ([{"azimuth": 0, "tile": [1e8, 0]}], "'tile'"),
    ],
)
def test_absurd_cameras(tmp_path: Path, views: list[dict[str, Any]], words: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"views": views}))
    refused(lambda: read_cameras(tmp_path / "a.json"), words)


def test_arrays_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.savez(tmp_path / "a.npz", np.zeros((8, 8, 3)))
    (tmp_path / "a.npz").rename(file)
    refused(lambda: read_image(file), "cannot be read as a NumPy array")
    np.save(file, np.full((2, 2, 3), 1e300))
    refused(lambda: read_image(file), "NaN or infinity in 4 of 4 pixels")
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (((((((("
    file.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)
    refused(lambda: read_image(file), "cannot be read as a NumPy array")


def test_images_of_other_kinds_are_not_decoded(tmp_path: Path) -> None:
    """PostScript, for one, would be handed to another program."""
    for kind in ("EPS", "TIFF"):
        Image.new("RGB", (8, 8)).save(tmp_path / "a.png", kind)
        refused(lambda: read_image(tmp_path / "a.png"), "no known format")


def test_checkpoint_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    checkpoint = Checkpoint("f", Record(stages=[], notes=[], curves={}, details={}, turned=[], area=1.0), TRIANGLES)
    monkeypatch.setattr("meshopt.io.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        CheckpointFile(tmp_path / "out").save(checkpoint)
    assert str(caught.value.filename).endswith("checkpoint.safetensors")
    assert not (tmp_path / "out").exists()


def test_component_outside_a_folder_of_weights(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"../unet": ["diffusers", "UNet2DConditionModel"]}))
    refused(lambda: folders.check_tensors(tmp_path, False), "expected the name of a folder beside it")


def test_sheet_of_too_few_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    refused(lambda: load_views(None, tmp_path / "a.png", "unique3d"), "too few for 2 x 2 tiles")


def test_files_of_text_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(tmp_path / "a.json")
    with pytest.raises(OSError, match="more than the limit of 10"):
        read_bytes(tmp_path / "a.json", 10)


def test_names_that_are_no_text_go_into_records() -> None:
    data = encode_record({"file": os.fsdecode(b"v\xffews")})
    assert json.loads(data)["file"] == os.fsdecode(b"v\xffews")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_meshes_with_names_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"m\xffsh.obj")
    file.write_text(TRIANGLE + "f 1 2 3\n")
    assert len(load_mesh(file).faces) == 1
