"""Finding out an unknown encoding."""

import time

import numpy as np
import pytest

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.frames import Detection, NormalEncoding, decode, detect, encode, resolve, to_colours, to_vectors
from meshopt.frames.encoding import FRAMES, all_encodings

SHAPES = ["ellipsoid", "bumpy", "torus", "superquadric"]
COMMON = [NormalEncoding(f, a) for f in FRAMES for a in ("opengl", "opencv", "directx")]


def stored(scene, encoding: NormalEncoding) -> np.ndarray:
    return encode(scene.normals, scene.cameras, encoding)


def degrees_off(scene, encoding: NormalEncoding, found: NormalEncoding) -> float:
    """Mean angle between the true normals and the ones read with `found`."""
    got = decode(stored(scene, encoding), scene.masks, scene.cameras, found)
    cosine = (got * scene.normals).sum(axis=-1)[scene.masks > 0.5]
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def find(scene, encoding: NormalEncoding, **options) -> Detection:
    return detect(stored(scene, encoding), scene.masks, scene.cameras, **options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rig", ["four", "six"])
def test_common_encodings_are_recognised(studio, shape: str, rig: str) -> None:
    scene = getattr(studio, rig)(shape)
    for encoding in COMMON:
        found = find(scene, encoding)
        assert degrees_off(scene, encoding, found.encoding) < 0.1, (encoding, found.sentence)
        assert found.confidence > 0.7
        if rig == "six":  # no camera at azimuth 0: the three frames differ
            assert found.encoding == encoding


@pytest.mark.parametrize("rig", ["four", "six"])
def test_all_144_encodings_are_recognised(studio, rig: str) -> None:
    scene = getattr(studio, rig)("bumpy")
    for encoding in all_encodings():
        assert degrees_off(scene, encoding, find(scene, encoding).encoding) < 0.1, encoding


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fov", [None, 40.0])
def test_one_view_tells_all_axes_apart(studio, shape: str, fov: float | None) -> None:
    scene = studio.of(shape, (Camera.orbit("v", 0, fov=fov),))
    for encoding in all_encodings():
        if encoding.frame == "camera":
            found = find(scene, encoding)
            assert degrees_off(scene, encoding, found.encoding) < 0.1, (encoding, found.sentence)


def test_frames_that_decode_alike_are_no_ambiguity(studio) -> None:
    scene = studio.of("ellipsoid", studio.turntable(0))
    found = find(scene, NormalEncoding("camera", "directx"))
    assert found.encoding.axes == "directx"
    assert "frames mean the same here" in found.sentence


def test_frames_that_decode_almost_alike_are_no_ambiguity(studio) -> None:
    scene = studio.of("ellipsoid", studio.turntable(1))  # the world is one degree off the camera's frame
    assert degrees_off(scene, NormalEncoding("world"), find(scene, NormalEncoding("world")).encoding) < 1.1


def test_a_cube_seen_straight_is_decoded_although_its_axes_cannot_be_known(studio) -> None:
    scene = studio.four("cube")
    for encoding in COMMON:
        assert degrees_off(scene, encoding, find(scene, encoding).encoding) < 0.1


def test_the_documented_encoding_names_the_answer_where_frames_agree(studio) -> None:
    scene = studio.four("bumpy")
    for native in ("front", "world"):
        found = find(scene, NormalEncoding("world"), native=native)
        assert found.encoding.frame == native
        assert found.sentence.endswith("as the rig documents.")


def test_the_pictures_overrule_the_documentation(studio) -> None:
    scene = studio.four("torus")
    found = find(scene, NormalEncoding("camera", "opencv"), native="front")
    assert found.encoding == NormalEncoding("camera", "opencv")
    assert "contradict" in found.sentence
    assert "front frame, axes opengl" in found.sentence


def relief(size: int = 96) -> np.ndarray:
    """Stored normals of a height field that fills the picture: no outline, so that bumps may be dents."""
    c = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(c, -c)
    p = 0.4 * np.cos(4 * x + y) + 0.2 * np.cos(3 * y) * np.sin(2 * x)
    q = 0.1 * np.cos(4 * x + y) + 0.3 * np.sin(3 * y) * np.cos(2 * x)
    n = np.stack([-p, -q, np.ones_like(p)], axis=-1)
    return (n / np.linalg.norm(n, axis=-1, keepdims=True)).astype(np.float32)[None]


def test_equally_good_answers_are_refused_with_both_names_and_the_flags() -> None:
    vectors, masks, cameras = relief(), np.ones((1, 96, 96), np.float32), (Camera.orbit("v", 0),)
    with pytest.raises(InputError) as error:
        detect(vectors, masks, cameras)
    text = str(error.value)
    assert "--normal-frame" in text
    assert "--normal-axes=opengl" in text
    assert "--normal-axes=-x-y+z" in text


def test_the_documentation_breaks_the_tie_and_says_so() -> None:
    vectors, masks, cameras = relief(), np.ones((1, 96, 96), np.float32), (Camera.orbit("v", 0),)
    found = detect(vectors, masks, cameras, native=NormalEncoding("camera", "-x-y+z"))
    assert found.encoding == NormalEncoding("camera", "-x-y+z")
    assert found.confidence <= 0.5
    assert "documentation decided" in found.sentence


def test_flags_narrow_the_choice(studio) -> None:
    scene = studio.four("bumpy")
    truth = NormalEncoding("camera", "directx")
    assert find(scene, truth, axes="directx").encoding == truth
    assert find(scene, truth, frame="camera").encoding == truth
    assert {s.encoding.frame for s in find(scene, truth, frame="camera").scores} == {"camera"}


def test_documentation_of_the_part_that_was_not_given_counts(studio) -> None:
    vectors, masks, cameras = relief(), np.ones((1, 96, 96), np.float32), (Camera.orbit("v", 0),)
    found = detect(vectors, masks, cameras, frame="camera", native="front")
    assert found.encoding == NormalEncoding("camera", "opengl")
    assert "documentation decided" in found.sentence


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (5, 200)])
def test_tiny_pictures_do_not_crash(shape: tuple[int, int]) -> None:
    wall = np.zeros((1, *shape, 3), np.float32)
    wall[..., 2] = 1
    found = detect(wall, np.ones((1, *shape), np.float32), (Camera.orbit("v", 0),))
    np.testing.assert_array_equal(decode(wall, np.ones((1, *shape)), (Camera.orbit("v", 0),), found.encoding), wall)


def test_given_frame_and_axes_are_taken_and_doubted_aloud(studio) -> None:
    scene = studio.four("bumpy")
    truth, wrong = NormalEncoding("camera", "directx"), NormalEncoding("world", "opengl")
    told = find(scene, truth, frame="world", axes="opengl")
    assert told.encoding == wrong
    assert told.confidence == 1.0
    assert "but the pictures fit camera frame, axes directx" in told.sentence
    assert "but" not in find(scene, truth, frame="camera", axes="directx").sentence


def test_views_in_the_wrong_order_are_refused_or_named(studio) -> None:
    scene = studio.four("bumpy")
    vectors = stored(scene, NormalEncoding("front"))
    turned = [0, 3, 2, 1]
    with pytest.raises(InputError, match="order"):
        detect(vectors[turned], scene.masks[turned], scene.cameras, native="front")
    swapped = [0, 1, 3, 2]
    found = detect(vectors[swapped], scene.masks[swapped], scene.cameras, native="front")
    assert "'180'" in found.sentence
    assert "'270'" in found.sentence
    assert "'090'" not in found.sentence


def test_pictures_that_are_no_normal_maps_are_refused(studio) -> None:
    scene = studio.four("bumpy")
    rng = np.random.default_rng(0)
    noise = rng.uniform(-1, 1, scene.normals.shape).astype(np.float32)
    with pytest.raises(InputError, match="--normals"):
        detect(noise, scene.masks, scene.cameras, native="front")


def test_empty_masks_are_refused(studio) -> None:
    scene = studio.four("bumpy")
    with pytest.raises(InputError, match="usable normal"):
        detect(scene.normals, np.zeros_like(scene.masks), scene.cameras)


def test_one_empty_view_does_no_harm(studio) -> None:
    scene = studio.four("bumpy")
    masks = scene.masks.copy()
    masks[2] = 0
    found = detect(stored(scene, NormalEncoding("camera", "opencv")), masks, scene.cameras)
    assert found.encoding == NormalEncoding("camera", "opencv")


def test_counts_that_differ_are_refused(studio) -> None:
    scene = studio.four("bumpy")
    with pytest.raises(InputError, match="do not belong together"):
        detect(scene.normals, scene.masks, scene.cameras[:3])


@pytest.mark.parametrize("degrees", [10, 25])
def test_noisy_short_8_bit_normals_are_recognised(studio, degrees: float) -> None:
    scene = studio.six("bumpy")
    rng = np.random.default_rng(3)
    noise = rng.normal(0, np.tan(np.radians(degrees)), scene.normals.shape)
    for encoding in COMMON:
        vectors = 0.7 * (stored(scene, encoding) + noise * (scene.masks > 0)[..., None])
        colours = to_colours(np.clip(vectors, -1, 1)).astype(np.float32) / 255
        read = np.stack([to_vectors(c, m) for c, m in zip(colours, scene.masks, strict=True)])
        assert detect(read, scene.masks, scene.cameras).encoding == encoding


def test_resolve_reads_world_normals(studio) -> None:
    scene = studio.six("torus")
    got = resolve(stored(scene, NormalEncoding("camera", "directx")), scene.masks, scene.cameras)
    np.testing.assert_allclose(got.normals, scene.normals, atol=1e-5)
    assert got.normals.dtype == np.float32
    assert got.encoding == NormalEncoding("camera", "directx")
    assert got.sentence.startswith("normals read as camera frame, axes directx")
    assert 0.7 < got.confidence <= 1.0


def test_the_scores_do_not_depend_on_how_the_truth_is_stored(studio) -> None:
    scene = studio.four("torus")
    a = find(scene, NormalEncoding("camera", "opengl")).scores
    b = find(scene, NormalEncoding("camera", "-z+x-y")).scores
    np.testing.assert_allclose([s.total for s in a], [s.total for s in b], atol=1e-5)


def test_six_views_of_512_take_well_under_a_second() -> None:
    c = (np.arange(512) + 0.5) / 256 - 1
    x, y = np.meshgrid(c, -c)
    z = np.sqrt(np.maximum(0.64 - x**2 - y**2, 0))
    n = (np.stack([x, y, z], axis=-1) / 0.8 * (z > 0)[..., None]).astype(np.float32)
    cameras = tuple(Camera.orbit(f"{a}", a) for a in (0, 45, 90, 180, 270, 315))
    vectors, masks = np.stack([n] * 6), np.stack([(z > 0).astype(np.float32)] * 6)
    times = []
    for _ in range(3):
        start = time.process_time()
        assert detect(vectors, masks, cameras).encoding == NormalEncoding("camera", "opengl")
        times.append(time.process_time() - start)
    assert min(times) < 0.5
