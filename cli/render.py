"""`meshopt render`: a mesh in, the pictures out that a generator would have made of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .commands import argument, command, option
from .messages import consoles, line, messages
from .options import config_options, loudness_options, output_options, settings

if TYPE_CHECKING:
    from rich.console import Console

    from meshopt.config import Config
    from meshopt.evaluate.view_sets import RenderedViews, RenderOptions
    from meshopt.mesh import Mesh

COMPILE_SECONDS = 10  # of the kernels that rendering uses, on one core


@command(
    examples=(
        "meshopt render mesh.glb --rig wonder3d -o truth/",
        "meshopt render scan.obj --rig turntable:12 --fit sphere --layers rgb -o t12/",
    ),
)
@argument("mesh", metavar="MESH")
@option("--rig", required=True, metavar="NAME|FILE", help="Camera layout or cameras file.")
@output_options
@option("--resolution", type=int, default=512, metavar="N", help="Pixels per side of a view.  [default: 512]")
@option("--layers", default="rgb,normals", metavar="LIST", help="rgb,normals,masks,depth.  [default: rgb,normals]")
@option("--names", default="rig", metavar="HOW", help="Files as the rig has them, or plain.  [default: rig]")
@option("--normal-frame", metavar="FRAME", help="camera, front or world.  [default: the rig's]")
@option("--normals", default="file", metavar="HOW", help="file, smooth, creased or flat.  [default: file]")
@option("--fit", default="none", metavar="HOW", help="Move and scale MESH: none, box, sphere.  [default: none]")
@option("--background", default="alpha", metavar="HOW", help="alpha, white, grey or black.  [default: alpha]")
@option("--sides", default="both", metavar="HOW", help="Of faces: both or front.  [default: both]")
@option("--supersampling", type=int, default=4, metavar="N", help="N x N samples per pixel.  [default: 4]")
@config_options
@loudness_options
def render(mesh: str, output: str, overwrite: bool, quiet: bool, verbose: int, **flags: Any) -> None:
    """Render MESH as a generator would have written it.

    Colours and normal maps in the rig's file names, order and normal frame, with the cameras: ground truth for any mesh
    that stands in the scene (front +Z, up +Y, inside [-1, 1]). `meshopt check` and `meshopt reconstruct` read them.
    """
    began = time.monotonic()
    out, err = consoles(quiet)
    with messages(err, verbose):
        from meshopt.evaluate.view_sets import check_render_folder
        from meshopt.io.meshes import load_mesh

        config = settings(flags["source"], flags["overrides"], {})
        options = _options(flags, config)
        check_render_folder(options, output, overwrite)
        given = load_mesh(Path(mesh).expanduser(), "rgb" in options.layers, config.meshes.limits)
        views = _compute(given, options, output, overwrite, err, quiet)
        _show(out, views, options, time.monotonic() - began)


def _options(flags: dict[str, Any], config: Config) -> RenderOptions:
    from meshopt.evaluate.view_sets import RenderOptions
    from meshopt.snapshots import SnapshotOptions

    layers = tuple(layer.strip() for layer in flags["layers"].split(",") if layer.strip())
    view = SnapshotOptions(flags["supersampling"], flags["normals"], flags["sides"])
    names = ("rig", "resolution", "names", "background", "fit")
    given = {name: flags[name] for name in names} | {"frame": flags["normal_frame"], "layers": layers, "view": view}
    return RenderOptions(**given, max_views=config.views.max_views)


def _compute(
    mesh: Mesh, options: RenderOptions, output: str, overwrite: bool, err: Console, quiet: bool
) -> RenderedViews:
    """Writes the mesh's views, with progress on `err`."""
    from meshopt.evaluate.view_sets import write_views

    from .progress import compiling, display

    used = {name: module for name, module in sys.modules.items() if name == "meshopt.snapshot_kernels"}
    with compiling(err, quiet, COMPILE_SECONDS, used), display(err, quiet) as on_progress:

        def on_view(done: int, count: int) -> None:
            on_progress(SimpleNamespace(stage="render", step=done, total=count, info={}))

        return write_views(mesh, options, output, overwrite, on_view)


def _show(out: Console, views: RenderedViews, options: RenderOptions, seconds: float) -> None:
    files = views.files
    for note in views.notes:
        line(out, note[0].upper() + note[1:])
    height, width = files.sizes[0]
    frame = f", normals in the {files.frame} frame" if "normals" in options.layers else ""
    line(out, f"{len(files.cameras)} views of {width} x {height} pixels, {files.source}{frame}.")
    inputs = [f"--{'views' if layer == 'rgb' else layer} {views.folder / layer}" for layer in ("rgb", "normals")
              if layer in options.layers]  # fmt: skip
    line(out, f"Wrote {', '.join(options.layers)} and cameras.json to {views.folder} in {seconds:.1f} s.")
    if inputs:
        line(out, f"They are read with {' '.join(inputs)}")
