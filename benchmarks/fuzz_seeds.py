"""Valid files for `fuzz.py` to start from, by the kinds of `fuzz_readers.READERS`."""

from __future__ import annotations

import csv
import io
import json
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image

from meshopt.cameras import Camera
from meshopt.checkpoints import Checkpoint, Record, UnderWay
from meshopt.config import dump_config, load_config
from meshopt.io.camera_files import encode_cameras
from meshopt.io.meshes import encode_files
from meshopt.mesh import Mesh, Texture
from meshopt.remesh import remesh

Files = dict[str, bytes]


ROOT = Path(__file__).parents[1]


DRAGON = ROOT / "data" / "dragon"


SIDE = 64  # pixels of small views


def picture(mode: str = "RGBA", side: int = SIDE) -> Image.Image:
    image = Image.open(DRAGON / "wonder3d" / "rgb" / "rgb_000_front.png").convert("RGBA").resize((side, side))
    if mode == "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(mode)


def stored(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_of_16_bits(channels: int) -> bytes:
    values = np.asarray(picture(), np.uint16)[..., :channels] * 257
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def npy_files() -> list[Files]:
    found = []
    for values in (np.asarray(picture("RGB")), np.linspace(-1, 1, 8 * 9 * 4).astype("<f4").reshape(8, 9, 4)):
        stream = io.BytesIO()
        np.save(stream, values)
        found.append({"a.npy": stream.getvalue()})
    return found


def exr_file(compression: int) -> bytes:
    """8 x 8 pixels, three float channels, stored as blocks without, or with RLE, ZIPS or ZIP compression."""
    values = np.linspace(-1, 1, 8 * 8 * 3).astype("<f4").reshape(8, 3, 8) * (compression == 0) + 0.0
    names = b"".join(letter + b"\0" + struct.pack("<iIii", 2, 0, 1, 1) for letter in (b"B", b"G", b"R")) + b"\0"
    box = struct.pack("<4i", 0, 0, 7, 7)
    attributes = [
        (b"channels", b"chlist", names), (b"compression", b"compression", bytes([compression])),
        (b"dataWindow", b"box2i", box), (b"displayWindow", b"box2i", box), (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1)), (b"screenWindowCenter", b"v2f", bytes(8)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1)),
    ]  # fmt: skip
    head = b"\x76\x2f\x31\x01\2\0\0\0" + b"".join(
        name + b"\0" + kind + b"\0" + struct.pack("<i", len(data)) + data for name, kind, data in attributes
    )
    lines = 16 if compression == 3 else 1
    blocks = [values[top : top + lines].tobytes() for top in range(0, 8, lines)]
    blocks = [block if compression == 0 else packed(block, compression) for block in blocks]
    at, offsets, body = len(head) + 1 + 8 * len(blocks), b"", b""
    for i, block in enumerate(blocks):
        offsets += struct.pack("<Q", at + len(body))
        body += struct.pack("<ii", i * lines, len(block)) + block
    return head + b"\0" + offsets + body


def packed(raw: bytes, compression: int) -> bytes:
    mixed = np.frombuffer(raw, np.uint8)
    values = np.concatenate([mixed[0::2], mixed[1::2]])
    steps = np.concatenate([values[:1], np.diff(values) + np.uint8(128)]).astype(np.uint8).tobytes()
    if compression == 1:  # of rows without anything: the first byte, and a run of differences
        return bytes([0, steps[0], len(steps) - 2, steps[1]])
    return min(zlib.compress(steps), raw, key=len)


def cameras_files() -> Files:
    cameras = [Camera.orbit("front", 0), Camera.orbit("side", 90, 10, fov=40), Camera.orbit("back", 180)]
    items = [{"rgb": f"rgb_{i:03d}.png", "normal": f"normals_{i:03d}.png"} for i in range(3)]
    orbit = {"views": [{"name": "a", "azimuth": 0, "half": 1.0, "tile": [0, 0]},
                       {"name": "b", "azimuth": 90, "fov": 30, "distance": 3.0, "tile": [0, 1]}], "sheet": [1, 2],
             "normal_frame": "camera", "normal_axes": "opengl", "up": "y"}  # fmt: skip
    return {
        "own.json": encode_cameras(cameras, items, {"normal_frame": "world", "normal_axes": "opengl"}),
        "orbit.json": json.dumps(orbit).encode(),
    }


def transforms_file() -> bytes:
    frames = []
    for azimuth in (0, 120, 240):
        pose = np.linalg.inv(Camera.orbit("a", azimuth, fov=40, distance=3).world_to_camera)
        frames.append({"file_path": f"./images/{azimuth:03d}.png", "transform_matrix": pose.tolist()})
    head = {"camera_angle_x": 0.7, "fl_x": 80.0, "fl_y": 80.0, "cx": 32, "cy": 32, "w": 64, "h": 64, "frames": frames}
    return json.dumps(head, indent=1).encode()


def view_files() -> list[Files]:
    """A small set of views with its cameras file."""
    files: Files = {}
    cameras, items = [], []
    for i, (view, azimuth) in enumerate((("front", 0), ("right", 90), ("back", 180))):
        for kind, folder in (("rgb", "rgb"), ("normals", "normals")):
            source = next((DRAGON / "wonder3d" / folder).glob(f"*_{view}*"))
            files[f"{kind}_{i:03d}.png"] = stored(Image.open(source).resize((SIDE, SIDE)), "PNG")
        cameras.append(Camera.orbit(view, azimuth))
        items.append({"rgb": f"rgb_{i:03d}.png", "normal": f"normals_{i:03d}.png"})
    return [{"cameras.json": encode_cameras(cameras, items, {"normal_frame": "front"}), **files}]


def sheet_files() -> list[Files]:
    tile = np.asarray(Image.open(DRAGON / "wonder3d" / "normals" / "normals_000_front.png").resize((SIDE, SIDE)))
    sheet = np.concatenate([np.concatenate([tile, tile], 1)] * 2)
    return [{"sheet.png": stored(Image.fromarray(sheet), "PNG")}]


def settings_files() -> list[Files]:
    found = [{"a.yaml": dump_config(load_config()).encode()}, {"a.yaml": b"seed: 1\nviews: {rig: unique3d}\n"}]
    laughs = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True))
    return [*found, {"a.yaml": f"{laughs}optimize:\n  view_weights: &w {{front: 1}}\ntexture: *w\n".encode()}]


def small_mesh(textured: bool) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions=1)
    vertices, faces = torch.tensor(shape.vertices.copy()).float(), torch.tensor(shape.faces.copy()).int()
    if not textured:
        return Mesh(vertices, faces, vertices.abs().clamp(0, 1))
    color = np.array(picture("RGB", 16))
    return Mesh(vertices, faces, None, Texture((vertices[:, :2] + 1) / 2, faces.clone(), torch.from_numpy(color)))


def mesh_files(kind: str) -> Callable[[], list[Files]]:
    def seeds() -> list[Files]:
        if kind in ("stl", "off"):
            shape = trimesh.creation.icosphere(subdivisions=1)
            data = [shape.export(file_type=name) for name in (("stl", "stl_ascii") if kind == "stl" else ("off",))]
            return [{f"a.{kind}": item if isinstance(item, bytes) else item.encode()} for item in data]
        found = [encode_files(small_mesh(textured), kind, "a") for textured in (True, False)]
        if kind == "ply":
            text = trimesh.creation.icosphere(subdivisions=1).export(file_type="ply", encoding="ascii")
            found.append({"a.ply": text})
        return found

    return seeds


def checkpoint_files() -> list[Files]:
    shape = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces = torch.tensor(shape.vertices.copy()).float(), torch.tensor(shape.faces.copy()).int()
    lengths, attributes = torch.full((len(vertices),), 0.3), torch.zeros(len(vertices), 5)
    surface = remesh(vertices, faces, lengths, attributes=attributes)
    turned = [(0, np.eye(3).tolist())]
    record = Record(stages=[{"name": "initial", "seconds": 1.0}], notes=["a note"], curves={}, details={},
                    turned=turned, area=1.0)  # fmt: skip
    under_way = record.model_copy(
        update={"under_way": UnderWay(stage="coarse", seconds=1.0, curves={"normal": [1.0, 0.5], "smooth": [0.1, 0.1]})}
    )
    mesh = Mesh(vertices, faces, vertices.abs())
    found = []
    for checkpoint in (Checkpoint("f", record, mesh, mesh), Checkpoint("f", under_way, mesh, None, surface)):
        with tempfile.TemporaryDirectory() as folder:
            checkpoint.save(Path(folder) / "a.safetensors")
            found.append({"a.safetensors": (Path(folder) / "a.safetensors").read_bytes()})
    return found


def manifest_files(kind: str) -> Callable[[], list[Files]]:
    rows = [
        {"name": "chair", "views": "chair/rgb", "normals": "chair/normals", "output.faces": 2000},
        {"name": "mug", "folder": "mug", "cameras": "mug/cameras.json", "output.formats": ["glb", "ply"]},
        {"name": "a b", "views": "s3://bucket/a", "normals": None, "quality": "fast"},
    ]
    if kind == "jsonl":
        return lambda: [{"a.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()}]
    names = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names)
    writer.writeheader()
    writer.writerows(rows)
    return lambda: [{"a.csv": stream.getvalue().encode()}]


def status_files() -> list[Files]:
    lines = [
        {"schema": 1, "version": "0.1.0", "began": "2026-01-01T00:00:00Z", "assets": 2, "left": 2},
        {"asset": "chair", "state": "done", "attempt": 1, "seconds": 2.5, "key": "k", "files": ["mesh.glb"]},
        {"asset": "mug", "state": "failed", "attempt": 2, "seconds": 0.1, "cause": "kill", "error": "it was killed"},
    ]
    return [{"status.jsonl": "".join(json.dumps(line) + "\n" for line in lines).encode()}]


def report_files() -> list[Files]:
    report = {"schema": 1, "fingerprint": "f", "files": ["report.json"], "views": [{"name": "a"}], "stages": []}
    written = {"written_by": "meshopt 0.1 render", "views": [{"name": "a", "rgb": "a.png", "normal": "a.png"}]}
    return [{"report.json": json.dumps(report).encode()}, {"cameras.json": json.dumps(written).encode()}]


def weights_files() -> list[Files]:
    index = {"_class_name": "StableDiffusionImageVariationPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
             "scheduler": ["diffusers", "DDIMScheduler"]}  # fmt: skip
    card = b"---\nlicense: mit\ntags:\n- a\n---\n# A model\n"
    more = {"unet/a.safetensors": b"\0", "README.md": card, "pipeline.py": b"import torch\nfrom a.b import c\n"}
    first = {"model_index.json": json.dumps(index).encode(), **more}
    return [first, {"README.md": card, **first}, {"pipeline.py": more["pipeline.py"], **first}]


def one(name: str, make: Callable[[], bytes]) -> Callable[[], list[Files]]:
    return lambda: [{name: make()}]
