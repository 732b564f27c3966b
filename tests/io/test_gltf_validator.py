"""What the Khronos validator says about our glTF: nothing.

Skipped unless node finds the npm package gltf-validator in MESHOPT_NODE_MODULES or NODE_PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from meshopt.io.meshes import save_mesh
from meshopt.mesh import Mesh
from meshopt.shading import creased

MODULES = os.environ.get("MESHOPT_NODE_MODULES") or os.environ.get("NODE_PATH") or "."
NODE = shutil.which("node")
SCRIPT = """
const fs = require("fs"), path = require("path");
const file = process.argv[1], folder = path.dirname(file);
require("gltf-validator").validateBytes(new Uint8Array(fs.readFileSync(file)), {
  uri: path.basename(file),
  externalResourceFunction: async (uri) =>
    new Uint8Array(fs.readFileSync(path.join(folder, decodeURIComponent(uri)))),
}).then((report) => console.log(JSON.stringify(report.issues)));
"""

pytestmark = pytest.mark.skipif(
    NODE is None or not (Path(MODULES) / "gltf-validator").is_dir(),
    reason="needs node and the npm package gltf-validator in MESHOPT_NODE_MODULES",
)


def _issues(path: Path) -> dict[str, Any]:
    environment = {**os.environ, "NODE_PATH": MODULES}
    command = [str(NODE), "-e", SCRIPT, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    issues: dict[str, Any] = json.loads(done.stdout)
    return issues


def _mesh(name: str, box: Mesh, bumpy_box: Mesh) -> Mesh:
    if name == "plain":
        return Mesh(box.vertices, box.faces)
    if name == "colored":
        return Mesh(box.vertices, box.faces, box.vertices.abs())
    if name == "creased":
        return replace(bumpy_box, shading=creased(box.vertices, box.faces))
    return box if name == "textured" else bumpy_box


@pytest.mark.parametrize("kind", ["glb", "gltf"])
@pytest.mark.parametrize("name", ["plain", "colored", "textured", "bumpy", "creased"])
def test_no_errors_and_no_warnings(kind: str, name: str, box: Mesh, bumpy_box: Mesh, tmp_path: Path) -> None:
    path = tmp_path / f"Löwe 1.{kind}"
    save_mesh(_mesh(name, box, bumpy_box), path, scale=0.1, offset=(1.0, 2.0, 3.0))
    issues = _issues(path)
    assert (issues["numErrors"], issues["numWarnings"], issues["numHints"]) == (0, 0, 0)
    assert {issue["code"] for issue in issues["messages"]} <= {"IMAGE_NPOT_DIMENSIONS"}  # the test's own image


def test_flat_faces_and_places_without_extent_are_no_errors(bumpy_box: Mesh, tmp_path: Path) -> None:
    assert bumpy_box.texture is not None
    bumpy_box.texture.uv[:40] = 0.5
    bumpy_box.vertices[bumpy_box.faces[:20].reshape(-1).long()] = torch.tensor([1.0, 1.0, 1.0])
    save_mesh(bumpy_box, tmp_path / "box.glb")
    issues = _issues(tmp_path / "box.glb")
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0)


def test_it_does_find_errors(bumpy_box: Mesh, tmp_path: Path) -> None:
    save_mesh(bumpy_box, tmp_path / "box.gltf")
    (tmp_path / "box.bin").write_bytes(bytes(1000))
    assert _issues(tmp_path / "box.gltf")["numErrors"] > 0
