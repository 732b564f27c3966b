"""Every setting of a run: typed, documented, validated, frozen.

The CLI's flags, the YAML presets in `configs/` and the `config.yaml` beside each result are all this tree.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from meshopt.errors import InputError, MeshoptWarning
from meshopt.io.files import write_file
from meshopt.io.limits import MeshLimits
from meshopt.migrations import migrated, schema
from meshopt.settings import Override, Settings, build, closest, dump, keys, read_tree

QUALITIES = ("fast", "best")  # beside the default
HEAD = ("written_by", "schema")  # of a file of settings
MeshFormat = Literal["glb", "gltf", "obj", "ply"]


class ViewsConfig(Settings):
    """How the input images are read."""

    rig: str = "auto"
    """Camera layout: auto, the name of a rig (unique3d, wonder3d, era3d, pshuman, zero123plus, turntable:N),
    or a cameras file."""
    normal_frame: Literal["auto", "camera", "front", "world"] = "auto"
    """Frame in which the normal maps are written; auto decides from the pictures."""
    normal_axes: str = "auto"
    """Signs and order of the normal maps' channels: auto, opengl (y up, z to the viewer), opencv, directx."""
    matting: Literal["auto", "alpha", "normals", "background", "rembg", "none"] = "auto"
    """Where the masks come from; auto: the alpha channel, else the normals' background, else a solid one;
    none: every pixel counts."""
    matting_model: str | None = None
    """For rembg: a model's name or an ONNX file; with a file nothing is downloaded."""
    resolution: int | None = Field(None, ge=16, le=8192)
    """Rows and columns in pixels of every view; null takes the largest that the files have, up to 2048."""
    max_pixels: int = Field(32 * 1024 * 1024, ge=1, le=2**31)
    """A larger image file is refused before it is decoded, in pixels."""
    max_views: int = Field(1000, ge=1, le=100_000)
    """A cameras file with more views is refused."""


class GenerateConfig(Settings):
    """How views are made where there is one picture alone."""

    model: str | None = None
    """The model that makes them: a name (see `meshopt generate --list`), or the folder of its weights."""
    weights: str | None = None
    """Folder of the model's weights; null: the cache of the Hugging Face hub."""
    parts: dict[str, str] = Field({})
    """Folders of single parts of the model, by name, such as controlnet."""
    revision: str | None = None
    """Revision of the weights on the hub; null: the newest."""
    normals: str = "marigold"
    """For models that make no normals: what estimates them, a name (see `meshopt normals --list`) or a folder."""
    prompt: str = ""
    """What a text says of the picture, for models that read one."""
    steps: int | None = Field(None, ge=1, le=1000)
    """Denoising steps; null: as many as the model's authors take."""
    guidance: float | None = Field(None, ge=0, le=100)
    """How strongly the picture guides the model; null: as its authors do."""
    fill: float | None = Field(None, ge=0.1, le=1)
    """Share of the model's picture that the object's longer side takes; null: as its authors do."""
    matting: Literal["auto", "alpha", "background", "rembg", "none"] = "auto"
    """Where the picture's mask comes from; rembg takes views.matting_model."""
    upscale: int = Field(1, ge=1, le=8)
    """How many times as large the views become."""
    upscaler: str | None = None
    """By what: an ONNX file or the folder of an upscaler of diffusers'; null: Lanczos' filter."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Type of the model's numbers; auto: float16 on accelerators, float32 on the CPU."""
    offload: Literal["none", "model", "sequential"] = "none"
    """Components wait in main memory and come onto the device as a whole (model) or layer by layer (sequential)."""
    slicing: bool = False
    """Attention and decoding in slices: less memory, slower."""


class MeshesConfig(Settings):
    """How mesh files are read."""

    max_bytes: int = Field(256 * 1024 * 1024, ge=1, le=2**36)
    """A larger file is refused, the files that it refers to counted."""
    max_faces: int = Field(5_000_000, ge=1, le=2**30)
    """A file with more faces is refused."""

    @property
    def limits(self) -> MeshLimits:
        """For `meshopt.load_mesh`."""
        return MeshLimits(self.max_bytes, self.max_faces)


class InitialConfig(Settings):
    """The initial mesh."""

    method: str = "auto"
    """auto (carved, or normals where all views look along one line), carved (the hull less what stands before each
    view's estimated depth), hull (visual hull of the masks), normals (relief of the front, and of the back where a view
    shows it), sphere, or a mesh file."""
    grid: int | None = Field(None, ge=16, le=512)
    """Voxels along each side of the scene's cube; null takes 128, and up to twice as many where parts are thin."""
    depth: int | None = Field(None, ge=16, le=512)
    """Pixels along the longer side of the depth maps that carve the hull; null takes as many as voxels."""
    smoothing: float = Field(0.7, ge=0, le=5)
    """Standard deviation, in voxels, of the Gaussian that smooths the field before its surface is taken."""
    sweeps: int = Field(3, ge=1, le=50)
    """Sweeps of belief propagation in each of four directions, for every estimate of a depth map."""
    rounds: int = Field(2, ge=0, le=10)
    """How often the views tell each other what depths they believe in, and estimate them again."""
    agreement: float = Field(1.0, ge=0, le=100)
    """Cost of a depth where another view, seeing the point frontally, has another normal (20 degrees or more)."""
    slope_cost: float = Field(3.0, ge=0, le=1000)
    """Cost per pixel by which neighbouring depths differ from what their normals say."""
    jump_cost: float = Field(60.0, ge=0, le=10000)
    """Cost of a depth jump where the normals tell nothing of it."""
    sight_cost: float = Field(8.0, ge=0, le=1000)
    """Cost, at most, of a depth where another view looks through, or beyond what another view is sure to see."""
    label_hold: float = Field(2e-3, gt=0, le=10)
    """How strongly the continuous depths hold to the labels they are refined from, against slopes (1)."""


class OptimizeConfig(Settings):
    """The optimiser's loop: a coarse, a fine and a refining stage."""

    resolution: int = Field(512, ge=32, le=4096)
    """Rows in pixels of the images that the finest stages compare; larger views are averaged down to it."""
    coarse_steps: int = Field(60, ge=0, le=10_000)
    """Steps at half the resolution."""
    fine_steps: int = Field(50, ge=0, le=10_000)
    """Steps at full resolution."""
    refine_steps: int = Field(60, ge=0, le=10_000)
    """At most so many steps at full resolution with edges of their last length."""
    tolerance: float = Field(0.03, ge=0, le=1)
    """The refining stage ends when the loss falls by less than this share in ten steps; 0 takes all steps."""
    edge_start: float = Field(5.0, gt=0, le=100)
    """Edge length of the first step, in pixels of the coarse stage."""
    faces: int = Field(40_000, ge=100, le=5_000_000)
    """About how many faces the last edge length makes; output.faces overrules it."""
    edge_end: float = Field(2.0, gt=0, le=100)
    """Least edge length of the last step, in pixels of the fine stage: small objects get fewer faces."""
    edge_spread: float = Field(3.0, ge=1, le=100)
    """How many times shorter or longer than the mean edges may be: short where the normals vary; 1 makes all alike."""
    crease_angle: float = Field(50.0, gt=0, le=180)
    """Degrees between faces above which the refining stage renders a normal on each side of an edge, not one blended
    of both; 180 is never."""
    step_size: float = Field(0.3, gt=0, le=1)
    """Largest vertex step at the start, as a share of the edge length."""
    step_size_end: float = Field(0.03, gt=0, le=1)
    """Largest vertex step at the end of the fine stage."""
    normal_weight: float = Field(2.0, ge=0, le=1000)
    """Weight of the normals: of half the squared difference between unit vectors, mean over the covered pixels."""
    silhouette_weight: float = Field(1.0, ge=0, le=1000)
    """Weight of the silhouettes: of the squared difference of coverage, per covered pixel."""
    rgb_weight: float = Field(0.0, ge=0, le=1000)
    """Weight of the colours: of the squared difference between the views and the mesh in its blended colours."""
    facet_weight: float = Field(0.15, ge=0, le=100)
    """Share of normal_weight with which the faces' own normals count, beside those that vertices blend."""
    robustness: float = Field(0.3, gt=0, le=2)
    """Length of a normal difference (0 to 2) above which it counts linearly instead of squared."""
    grazing_power: float = Field(0.0, ge=0, le=8)
    """How much less a pixel's normal counts the more it turns away: power of the cosine to the camera, 0 is none."""
    view_weights: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field({})
    """Weight of single views by name, 1 where none is given; 0 leaves a view out of the losses."""
    smoothness: float = Field(0.05, ge=0, le=100)
    """Weight of the Laplacian energy: squared distance of each vertex to its neighbours' mean, over edge length."""
    unseen_smoothness: float = Field(4.0, ge=1, le=1000)
    """How many times more the Laplacian energy of vertices that no view sees counts: it pulls at seen ones beside."""
    inside_out_weight: float = Field(1.0, ge=0, le=1000)
    """Weight of what keeps thin parts from turning inside out: per pixel that shows the inside, over edge length."""
    relaxation: float = Field(0.4, ge=0, le=1)
    """Step of each vertex in the surface towards its neighbours' mean in a remeshing pass; 0 none, 1 whole."""
    refine_consensus: float = Field(0.0, ge=0, le=1)
    """Share of one target normal per vertex, blended from all views, in the refining stage; the rest is each view's
    own normals."""
    consensus_scale: float = Field(15.0, gt=0, le=180)
    """Degrees from the blended normal at which a view's normal counts a quarter in the blend."""


class HullChecks(Settings):
    """When silhouettes contradict each other."""

    depth: float = Field(0.045, gt=0, le=2)
    """Scene units (half the image) by which rays may miss the hull of the other views."""
    least: float = Field(0.5, ge=0, le=100)
    """Percent of the silhouette: smaller regions do not count."""
    facing: float = Field(0.1, ge=0, le=2)
    """By how much more (cosine) normals must face the camera along a cut than along the rest of the outline."""


class MaskChecks(Settings):
    """When masks are suspected."""

    hull: HullChecks = HullChecks()
    fringe: float = Field(35.0, gt=0, le=100)
    """Percent of an outline with one and the same colour that the object next to it does not have."""
    hole: float = Field(0.3, ge=0, le=100)
    """Percent of the silhouette: smaller holes do not count."""
    hole_facing: float = Field(0.35, ge=0, le=2)
    """By how much more (cosine) normals face the camera all around a hole than along the outline."""
    specks: float = Field(0.5, ge=0, le=100)
    """Percent of the silhouette: fewer loose specks are only noted."""
    cut_off: float = Field(25.0, ge=0, le=100)
    """Percent of an image's side along which the object may touch it."""


class ContentChecks(Settings):
    """When pictures contradict each other."""

    repeat: float = Field(0.65, gt=0, le=1)
    """Correlation of two views' structure from which on one may repeat the other."""
    beyond: float = Field(0.25, ge=0, le=1)
    """By how much it must exceed what the other views say about the object's symmetry."""
    colour: float = Field(5.0, ge=0, le=100)
    """Percent by which a channel of a view must be off the other views, two standard deviations less; suspect is only
    what differs between the channels, as light that moves with the camera changes all alike."""
    offset: float = Field(0.8, gt=0, le=100)
    """Percent of the image by which normals may lie off their colours."""


class DetailChecks(Settings):
    """When a view lacks detail. Widths are sigmas in pixels of the views' images."""

    normals: float = Field(2.1, ge=0, le=1000)
    """Normals whose edges are narrower are never suspected."""
    colours: float = Field(1.4, ge=0, le=1000)
    """Nor are colours."""
    ratio: float = Field(2.0, ge=1, le=1000)
    """By how many times a view's edges must be wider than the other views' usually are, ..."""
    beyond: float = Field(1.3, ge=1, le=1000)
    """... and than each other view's."""
    all_normals: float = Field(3.0, ge=0, le=1000)
    """From there on a set is noted in which all normals are as blurred."""
    blocks: float = Field(0.1, ge=0, le=10)
    """By how much more (share) normals change across the borders of 8 x 8 blocks, where a JPEG file shows."""


class LeaveOutChecks(Settings):
    """When the other views contradict one that is left out."""

    relief: float = Field(3.0, ge=0, le=180)
    """Degrees by which the other views fit the surface better that is made without it."""


class CheckConfig(Settings):
    """The consistency checks: from what on something is found. docs/consistency.md says how the values were chosen."""

    enabled: bool = True
    """Check the views before a reconstruction, and again against its mesh."""
    correct: bool = True
    """Mend what is estimated with confidence before a reconstruction; the report lists it."""
    strict: bool = False
    """Stop before the colours where views are inconsistent."""
    deep: bool = False
    """Leave every view out in turn, and half of them, and compare the shapes: seconds more."""
    reading: float = Field(0.05, gt=0, le=1)
    """By how much (0 to 1) another way to read a view's normals has to fit better."""
    uncovered: float = Field(0.02, gt=0, le=1)
    """Share of the silhouettes, sum over the views, that the hull of all may leave uncovered before other orders are
    tried."""
    rotation: float = Field(2.5, gt=0, le=180)
    """Degrees by which a view's normals may be turned as a whole."""
    zoom: float = Field(1.0, gt=0, le=100)
    """Percent by which a view may show the object larger or smaller."""
    shift: float = Field(0.5, gt=0, le=100)
    """Percent of the image by which a view may be shifted."""
    elevation: float = Field(2.0, gt=0, le=90)
    """Degrees by which all cameras may stand higher or lower than is believed."""
    bending: float = Field(6.0, gt=0, le=180)
    """Degrees (root mean square) by which a view's normals may be bent away from those of any surface."""
    field: float = Field(4.0, gt=0, le=180)
    """Degrees (root mean square) by which they may be bent smoothly, where that can be undone."""
    patch: float = Field(10.0, gt=0, le=180)
    """Degrees by which the normals of a part of a view may be turned."""
    masks: MaskChecks = MaskChecks()
    content: ContentChecks = ContentChecks()
    detail: DetailChecks = DetailChecks()
    leave_out: LeaveOutChecks = LeaveOutChecks()


class TextureConfig(Settings):
    """The texture."""

    kind: Literal["atlas", "vertex", "none"] = "atlas"
    """What carries the colours: an image on an atlas, the vertices, or nothing."""
    size: int = Field(2048, ge=512, le=8192)
    """Rows and columns of the texture, in texels."""
    padding: int = Field(4, ge=1, le=64)
    """Least distance between charts, in texels."""
    bake: Literal["blend", "optimize"] = "blend"
    """How texels get their colours: from the views that see them best; optimize: then fitted, so that the textured
    mesh's renders match the views, too."""
    normals: bool = False
    """Bake a normal map from the views' normals, and from the mesh as it was before output.faces reduced it."""
    front_weight: float = Field(2.0, gt=0, le=1000)
    """How many times more than others the view from the front counts, the picture that generators start from."""
    view_weights: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field({})
    """How much single views count, by name, 1 where none is given; 0 leaves a view out of the texture."""
    unwrap: Literal["xatlas", "box"] = "xatlas"
    """How the surface is laid out: charts grown by xatlas, or projected on the six sides of a box, which is quicker."""
    seconds: float = Field(20.0, gt=0, le=3600)
    """Longest time for xatlas; after it the box takes its place."""
    least_fit: float = Field(0.8, ge=0, le=1)
    """Overlap (intersection over union, median of the views) of a mesh's silhouettes with the views' from which on they
    are taken to show it."""
    roughness: float = Field(0.9, ge=0, le=1)
    """The material's roughness."""
    metallic: float = Field(0.0, ge=0, le=1)
    """How metallic the material is."""


class OutputConfig(Settings):
    """What is written."""

    faces: int | None = Field(None, ge=100, le=5_000_000)
    """Number of faces of the result, met within 5 %; null takes about as many as optimize.faces. With texture.normals
    the mesh is made as if it were null, and reduced at the end."""
    formats: tuple[MeshFormat, ...] = Field(("glb",), min_length=1)
    """Mesh files to write: glb, gltf, obj, ply."""
    html: bool = True
    """Write report.html, too: one to two CPU-seconds and about two megabytes for six views."""
    checkpoint_steps: int = Field(25, ge=0, le=100_000)
    """Steps of the optimiser between two checkpoints, from which --resume goes on; 0: at the ends of stages alone."""


class EvaluateConfig(Settings):
    """How `meshopt evaluate` measures a mesh."""

    align: Literal["none", "bbox", "icp"] = "none"
    """How the mesh is laid on the true one first: not at all, by its box (centre and largest side), or by iterated
    closest points (turned, shifted and scaled)."""
    samples: int = Field(100_000, ge=100, le=10_000_000)
    """Points on each surface that distances are measured from."""
    thresholds: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field((0.5, 1.0), min_length=1)
    """Limits of the F-scores, in percent of the diagonal of the true mesh's box."""
    lpips: bool = False
    """Measure LPIPS, too, which needs the package lpips and its weights."""


class Config(Settings):
    """A whole run."""

    quality: Literal["fast", "default", "best"] = "default"
    """How much work a run does: fast and best change the defaults of other settings (configs/quality/)."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of every random number."""
    device: str = "auto"
    """Where tensors live: auto, cpu, cuda, cuda:1, ..."""
    backend: str = "auto"
    """Rasteriser: auto (the best that works on the device), cpu, ..."""
    generate: GenerateConfig = GenerateConfig()
    views: ViewsConfig = ViewsConfig()
    meshes: MeshesConfig = MeshesConfig()
    initial: InitialConfig = InitialConfig()
    optimize: OptimizeConfig = OptimizeConfig()
    check: CheckConfig = CheckConfig()
    texture: TextureConfig = TextureConfig()
    output: OutputConfig = OutputConfig()
    evaluate: EvaluateConfig = EvaluateConfig()


def load_config(source: str | Path | None = None, overrides: Iterable[str | Override] = ()) -> Config:
    """The defaults of the quality asked for, under a preset or YAML file, under overrides (`"section.key=value"`).

    `source` is a preset's name (see `presets`) or a file; ./name means a file that is named like a preset.
    A file of an older meshopt is migrated, and a MeshoptWarning says what was changed.
    Raises InputError: one sentence with the file or override, the key, what was found and expected.
    """
    given = [Override.parse(item) if isinstance(item, str) else item for item in overrides]
    layers = [item.layer for item in [*(() if source is None else overrides_in(source)), *given]]
    quality = next((tree["quality"] for _, tree in reversed(layers) if "quality" in tree), "default")
    if quality in QUALITIES:
        layers.insert(0, (f"quality {quality}", read_tree(configs_folder() / "quality" / f"{quality}.yaml")))
    return build(Config, layers)


def overrides_in(source: str | Path) -> list[Override]:
    """What a preset or YAML file says, migrated, one override for each of its sections. Raises InputError."""
    tree, changes = migrated("settings", read_tree(_settings_file(source)), str(source))
    if changes:
        warnings.warn(f"{source}: written for an older meshopt; {'; '.join(changes)}.", MeshoptWarning, stacklevel=3)
    return [Override(str(key), value, str(source)) for key, value in tree.items() if key not in HEAD]


def dump_config(config: Config) -> str:
    """The whole tree as YAML, each setting below its documentation."""
    from meshopt import __version__

    head = f"written_by: meshopt {__version__} # every setting; use it with --config FILE\nschema: {schema('settings')}"
    return f"{head}\n\n{dump(config)}"


def settings_schema() -> str:
    """The JSON schema of a file of settings, as JSON: editors check and complete such files with it."""
    tree = Config.model_json_schema()
    head = {
        "written_by": {"type": "string", "description": "The meshopt that wrote the file."},
        "schema": {"const": schema("settings"), "description": "The form of the file."},
    }
    tree["properties"] = head | tree["properties"]
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **tree}, indent=2) + "\n"


def save_config(config: Config, path: str | Path) -> None:
    """Writes `dump_config`; `load_config(path)` gives the same settings back."""
    write_file(Path(path), dump_config(config).encode())


def setting_keys() -> tuple[str, ...]:
    """Every key, dotted, as `--set` takes it."""
    return tuple(keys(Config))


def presets() -> tuple[str, ...]:
    """Names of the presets that come with meshopt."""
    return tuple(sorted(file.stem for file in configs_folder().glob("*.yaml")))


def configs_folder() -> Path:
    """Where the presets and rigs lie."""
    spec = find_spec("meshopt.configs")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent
    return Path(__file__).parents[1] / "configs"  # a checkout that is not installed


def _settings_file(source: str | Path) -> Path:
    names = presets()
    if str(source) in names:
        return configs_folder() / f"{source}.yaml"
    path = Path(source)
    if path.is_file():
        return path
    if path.is_dir():
        raise InputError(f"--config {source}: is a folder, expected a YAML file or a preset ({', '.join(names)})")
    hint = closest(str(source), names) or f", expected a YAML file or one of the presets {', '.join(names)}"
    raise InputError(f"--config {source}: no such file or preset{hint}")
