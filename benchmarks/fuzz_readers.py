"""What `fuzz.py` reads: for each kind of file, the reader as the product calls it, and how its files are damaged.

`READERS` is the table. A reader gets a folder and the name of the file in it, raises InputError where it refuses, and
`AssertionError` here where what it gives is unsound.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from fuzz_mutations import (
    Mutation,
    damaged_bytes,
    damaged_checkpoint,
    damaged_exr,
    damaged_glb,
    damaged_gltf,
    damaged_json,
    damaged_npy,
    damaged_png,
    damaged_text,
)
from fuzz_seeds import (
    SIDE,
    Files,
    cameras_files,
    checkpoint_files,
    exr_file,
    manifest_files,
    mesh_files,
    npy_files,
    one,
    picture,
    png_of_16_bits,
    report_files,
    settings_files,
    sheet_files,
    status_files,
    stored,
    transforms_file,
    view_files,
    weights_files,
)

from meshopt.batch.assets import read_assets
from meshopt.batch.status import Status
from meshopt.batch.summary import write_summary
from meshopt.checkpoints import load_checkpoint
from meshopt.config import dump_config, load_config
from meshopt.errors import InputError
from meshopt.generate import folders, registry
from meshopt.generate.preparation import Framing, cut_out, frame
from meshopt.io.camera_files import read_cameras
from meshopt.io.images import image_size, read_image
from meshopt.io.meshes import load_mesh
from meshopt.io.view_files import files_of_cameras, older_files
from meshopt.remesh import remesh
from meshopt.report.folder import finished_report
from meshopt.views import LoadOptions, load_views


@dataclass(frozen=True)
class Reader:
    """`seeds` are sets of files that belong together, the one that is read first; `damages`, by a file's suffix."""

    seeds: Callable[[], list[Files]]
    read: Callable[[Path, str], None]
    damages: dict[str, Mutation] = field(default_factory=dict)

    def damaged(self, draw: random.Random, files: Files) -> Files:
        """The files, one of them damaged: of two cases in three the first."""
        names = list(files)
        name = names[0] if draw.random() < 0.67 else draw.choice(names)
        mutation = self.damages.get(Path(name).suffix, damaged_bytes)
        if name == "cameras.json":
            mutation = damaged_json
        return {**files, name: mutation(draw, files[name])}


def _read_picture(folder: Path, name: str) -> None:
    width, height = image_size(folder / name)
    picture = read_image(folder / name)
    assert picture.shape == (height, width), "another size than was said"
    assert np.isfinite(picture.pixels).all(), "pixels are not finite"
    assert picture.alpha is None or np.isfinite(picture.alpha).all(), "alpha is not finite"


def _cut_out(folder: Path, name: str) -> None:
    framed = frame(cut_out(folder / name), Framing(128, 0.8, 1.0))
    assert np.isfinite(framed.rgb).all(), "pixels are not finite"


def _read_cameras(folder: Path, name: str) -> None:
    file = read_cameras(folder / name)
    for entry in file.entries:
        camera = entry.camera_for(64, 48)
        numbers = [*camera.world_to_camera.reshape(-1), *camera.half_extent, *camera.centre]
        assert np.isfinite(numbers).all(), "a camera is not finite"
        assert np.isfinite(camera.clip_matrix()).all(), "a camera's matrix is not finite"
        assert min(camera.half_extent) > 0, "a camera without extent"
        camera.name.encode()
    if file.sheet is None:
        files_of_cameras(file, 64)


def _read_views(folder: Path, name: str) -> None:
    _check_views(load_views(folder, options=LoadOptions(resolution=SIDE)))


def _read_sheet(folder: Path, name: str) -> None:
    _check_views(load_views(None, folder / name, "unique3d", options=LoadOptions(resolution=SIDE)))


def _check_views(views: object) -> None:
    from meshopt.views import ViewSet

    assert isinstance(views, ViewSet)
    found = [views.normals, views.masks, *([] if views.rgb is None else [views.rgb])]
    assert all(bool(torch.isfinite(values).all()) for values in found), "views are not finite"
    poses = np.stack([camera.world_to_camera for camera in views.cameras])
    assert np.isfinite(poses).all(), "cameras are not finite"
    json.dumps([views.notes, [camera.name for camera in views.cameras]], ensure_ascii=False).encode()


def _read_settings(folder: Path, name: str) -> None:
    config = load_config(folder / name, ["seed=3"])
    (folder / "again.yaml").write_text(dump_config(config), encoding="utf-8")
    assert load_config(folder / "again.yaml") == config, "the settings are not written as they were read"


def _read_mesh(folder: Path, name: str) -> None:
    mesh = load_mesh(folder / name, textures=True)
    assert bool(torch.isfinite(mesh.vertices).all()), "vertices are not finite"
    assert 0 <= int(mesh.faces.min()) <= int(mesh.faces.max()) < len(mesh.vertices), "faces without vertices"
    if mesh.shading is not None:
        assert bool(torch.isfinite(mesh.shading.normals).all()), "normals are not finite"
    if mesh.colors is not None:
        assert bool(torch.isfinite(mesh.colors).all()), "colours are not finite"
    if mesh.texture is not None:
        uv, faces = mesh.texture.uv, mesh.texture.faces
        assert bool(torch.isfinite(uv).all()), "places on the texture are not finite"
        assert 0 <= int(faces.min()) <= int(faces.max()) < len(uv), "faces without places on the texture"


def _read_checkpoint(folder: Path, name: str) -> None:
    found = load_checkpoint(folder / name).to("cpu")
    found.line.encode()
    assert all(np.isfinite(turn.matrix).all() for turn in found.turned), "a turn is not finite"
    for mesh in (found.mesh, found.detail):
        if mesh is not None:
            assert mesh.vertices.dtype == torch.float32, "vertices of another type"
            assert mesh.vertices.shape[1:] == mesh.faces.shape[1:] == (3,), "arrays of another shape"
            assert bool(torch.isfinite(mesh.vertices).all()), "vertices are not finite"
    if found.loop is not None:
        surface = found.loop.surface
        assert found.loop.step >= 0
        assert len(found.loop.sums) == found.loop.step, "as many losses as steps"
        remesh(surface.vertices, surface.faces, surface.target_length, surface.attributes, previous=surface)


def _read_report(folder: Path, name: str) -> None:
    finished_report(folder, "f")
    assert not any(".." in file or file.startswith("/") for file in older_files(folder)), "a file outside the folder"


def _read_weights(folder: Path, name: str) -> None:
    folders.complete(folder)
    licence = folders.stated_licence(folder)
    assert licence is None or isinstance(licence, str)
    for check in (
        lambda: folders.check_folder(folder, "the folder", None),
        lambda: folders.check_tensors(folder, False),
        lambda: folders.size(folder),
        lambda: folders.check_imports(folder / "pipeline.py"),
        lambda: registry.choose(str(folder), registry.view_models()),
    ):
        try:
            check()
        except InputError as error:
            refused(error)


def _read_manifest(folder: Path, name: str) -> None:
    output = folder / "out"
    for asset in read_assets(str(folder / name), str(output)):
        if isinstance(asset, InputError):
            refused(asset)
            continue
        assert (output / asset.name).resolve().parent == output.resolve(), "a result outside the output"
        json.dumps([asset.name, asset.views, asset.normals], ensure_ascii=False).encode()


def _read_status(folder: Path, name: str) -> None:
    with Status(folder / name) as status:
        for asset in ("chair", "mug"):
            status.last(asset)
        write_summary(status, str(folder))


def refused(error: InputError) -> None:
    """Raises AssertionError unless the message is one line of text."""
    text = str(error)
    assert text.strip(), "no message"
    assert "\n" not in text, "a message of several lines"
    assert len(text) < 2000, "a message of more than 2000 characters"
    assert "Traceback" not in text, "a traceback"


_PNG: dict[str, Mutation] = {".png": damaged_png}


_MESHES: dict[str, Mutation] = {
    ".glb": damaged_glb, ".gltf": damaged_gltf, ".obj": damaged_text, ".mtl": damaged_text, ".off": damaged_text, **_PNG
}  # fmt: skip


_TEXTS: dict[str, Mutation] = {".json": damaged_json, ".yaml": damaged_text, ".md": damaged_text, ".py": damaged_text}


READERS: dict[str, Reader] = {
    "png": Reader(one("a.png", lambda: stored(picture(), "PNG")), _read_picture, _PNG),
    "png palette": Reader(one("a.png", lambda: stored(picture("P"), "PNG")), _read_picture, _PNG),
    "png 16 bits": Reader(lambda: [{"a.png": png_of_16_bits(3)}, {"a.png": png_of_16_bits(4)}], _read_picture, _PNG),
    "jpeg": Reader(one("a.jpg", lambda: stored(picture("RGB"), "JPEG")), _read_picture),
    "webp": Reader(one("a.webp", lambda: stored(picture(), "WEBP")), _read_picture),
    "bmp": Reader(one("a.bmp", lambda: stored(picture("RGB"), "BMP")), _read_picture),
    "exr": Reader(lambda: [{"a.exr": exr_file(kind)} for kind in (0, 1, 2, 3)], _read_picture, {".exr": damaged_exr}),
    "npy": Reader(npy_files, _read_picture, {".npy": damaged_npy}),
    "picture of generate": Reader(one("a.png", lambda: stored(picture(), "PNG")), _cut_out, _PNG),
    "sheet": Reader(sheet_files, _read_sheet, _PNG),
    "cameras": Reader(lambda: [{k: v} for k, v in cameras_files().items()], _read_cameras, _TEXTS),
    "transforms": Reader(one("transforms.json", transforms_file), _read_cameras, _TEXTS),
    "views": Reader(view_files, _read_views, {**_TEXTS, **_PNG}),
    "settings": Reader(settings_files, _read_settings, _TEXTS),
    "glb": Reader(mesh_files("glb"), _read_mesh, _MESHES),
    "gltf": Reader(mesh_files("gltf"), _read_mesh, _MESHES),
    "obj": Reader(mesh_files("obj"), _read_mesh, _MESHES),
    "ply": Reader(mesh_files("ply"), _read_mesh, {".ply": lambda draw, data: damaged_ply(draw, data)}),
    "stl": Reader(mesh_files("stl"), _read_mesh),
    "off": Reader(mesh_files("off"), _read_mesh, _MESHES),
    "checkpoint": Reader(checkpoint_files, _read_checkpoint, {".safetensors": damaged_checkpoint}),
    "report": Reader(report_files, _read_report, _TEXTS),
    "manifest csv": Reader(manifest_files("csv"), _read_manifest, {".csv": damaged_text}),
    "manifest jsonl": Reader(manifest_files("jsonl"), _read_manifest, {".jsonl": damaged_text}),
    "status": Reader(status_files, _read_status, {".jsonl": damaged_text}),
    "weights": Reader(weights_files, _read_weights, _TEXTS),
}


def damaged_ply(draw: random.Random, data: bytes) -> bytes:
    """The header's words changed, or any bytes."""
    if draw.random() < 0.5:
        return damaged_bytes(draw, data)
    head, mark, body = data.partition(b"end_header\n")
    return damaged_text(draw, head) + mark + body
