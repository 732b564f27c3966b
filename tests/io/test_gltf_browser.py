"""What three.js shows of our GLB: the front from the front, nothing mirrored, bumps lit from where the light is.

Skipped unless there is a Chromium, and the npm package three in MESHOPT_NODE_MODULES or NODE_PATH.
"""

from __future__ import annotations

import base64
import functools
import http.server
import io
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from meshopt.io.meshes import save_mesh
from meshopt.mesh import Mesh

MODULES = Path(os.environ.get("MESHOPT_NODE_MODULES") or os.environ.get("NODE_PATH") or ".")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless=new", "--no-sandbox", "--no-first-run", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZE, REACH = 256, 1.28  # the picture's pixels, and half of what it shows in scene units: 100 pixels a unit
PAGE = """<!doctype html><script type="importmap">{"imports": {
  "three": "/modules/three/build/three.module.js", "three/addons/": "/modules/three/examples/jsm/"}}</script>
<script type="module">
const send = (text) => fetch("/done", {method: "POST", body: text});
try {
  const THREE = await import("three"), {GLTFLoader} = await import("three/addons/loaders/GLTFLoader.js");
  const {size, reach, eye, up, light} = OPTIONS;
  const renderer = new THREE.WebGLRenderer({preserveDrawingBuffer: true});
  renderer.setSize(size, size);
  const camera = new THREE.OrthographicCamera(-reach, reach, reach, -reach, 0.1, 20);
  camera.position.set(...eye); camera.up.set(...up); camera.lookAt(0, 0, 0);
  const scene = (await new GLTFLoader().loadAsync("/files/box.glb")).scene, world = new THREE.Scene();
  world.add(scene, new THREE.AmbientLight(0xffffff, light ? 0.3 : Math.PI));
  if (light) { const sun = new THREE.DirectionalLight(0xffffff, 2); sun.position.set(...light); world.add(sun); }
  renderer.render(world, camera);
  await send(renderer.domElement.toDataURL("image/png"));
} catch (error) { await send("error " + error.stack); }
</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or not (MODULES / "three").is_dir(),
        reason="needs Chromium and the npm package three in MESHOPT_NODE_MODULES",
    ),
]


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the page, node's modules and the test's files; what the page sends back goes into `sent`."""

    def __init__(self, *args: object, page: str, folder: Path, sent: queue.Queue[bytes]) -> None:
        self.page, self.folder, self.sent = page, folder, sent
        super().__init__(*args)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        first, _, rest = path.lstrip("/").partition("/")
        return str({"modules": MODULES, "files": self.folder}.get(first, self.folder / "none") / rest)

    def do_GET(self) -> None:
        if self.path == "/":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(self.page.encode())
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self.sent.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def _picture(
    mesh: Mesh, folder: Path, eye: tuple[int, ...], up: tuple[int, ...], light: tuple[int, ...] | None = None
) -> np.ndarray:
    """three.js's picture of the mesh from `eye`, RGB in [0, 1]; evenly lit where no light is given."""
    save_mesh(mesh, folder / "box.glb")
    sent: queue.Queue[bytes] = queue.Queue()
    options = {"size": SIZE, "reach": REACH, "eye": eye, "up": up, "light": light}
    page = PAGE.replace("OPTIONS", json.dumps(options))
    handler = functools.partial(_Handler, page=page, folder=folder, sent=sent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}"]
        browser = subprocess.Popen(
            [*command, f"http://127.0.0.1:{server.server_port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            answer = sent.get(timeout=90)
        finally:
            browser.terminate()
            browser.wait(timeout=30)
            server.shutdown()
    assert answer.startswith(b"data:image/png;base64,"), answer.decode()
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer.split(b",")[1]))).convert("RGB")) / 255


def test_the_front_is_in_front_and_not_mirrored(
    box: Mesh, tmp_path: Path, paint: Callable[[np.ndarray], np.ndarray]
) -> None:
    picture = _picture(box, tmp_path, eye=(0, 0, 5), up=(0, 1, 0))
    x, y = np.meshgrid(np.linspace(-0.95, 0.95, 20), np.linspace(-0.7, 0.7, 15))
    rows, columns = ((np.stack([-y, x]) + REACH) * SIZE / 2 / REACH).astype(int)
    expected = paint(np.stack([x, y, np.full_like(x, 0.5)], -1))
    assert np.abs(picture[rows, columns] - expected).max() < 0.03
    assert picture[5, 5].max() < 0.01  # beside the box there is nothing


@pytest.mark.parametrize(
    ("eye", "up"),
    [((0, 0, 5), (0, 1, 0)), ((0, -5, 0), (0, 0, 1))],  # the second looks at the side that is mirrored in the image
    ids=["front", "mirrored"],
)
def test_a_bump_is_bright_on_the_flank_that_faces_the_light(
    eye: tuple[int, ...], up: tuple[int, ...], bumpy_box: Mesh, tmp_path: Path
) -> None:
    assert bumpy_box.texture is not None
    grey = replace(bumpy_box, texture=replace(bumpy_box.texture, color=torch.full_like(bumpy_box.texture.color, 160)))
    right = np.cross(up, np.array(eye) / 5)
    for side in (-1, 1):
        light = tuple(int(n) for n in 3 * (np.array(up) + side * right) + np.array(eye))
        picture = _picture(grey, tmp_path, eye, up, light).mean(-1)
        center, step = SIZE // 2, 18
        bright = picture[center - step, center + side * step]  # up, to the side of the light
        dark = picture[center + step, center - side * step]
        across = [picture[center - step, center - side * step], picture[center + step, center + side * step]]
        assert bright > max(across) + 0.03
        assert min(across) > dark + 0.03
