"""Encodings: their spelling, and that reading undoes writing."""

import itertools

import numpy as np
import pytest

from meshopt.cameras import Camera
from meshopt.errors import InputError
from meshopt.frames import NAMED_AXES, NormalEncoding, decode, encode, front_view, to_colours
from meshopt.frames.encoding import all_encodings, check_frame, parse_axes


def test_there_are_144_different_encodings_with_signed_permutations() -> None:
    encodings = all_encodings()
    assert len(set(encodings)) == 144
    for e in encodings:
        np.testing.assert_array_equal(e.matrix @ e.matrix.T, np.eye(3))
        assert set(np.unique(e.matrix)) <= {-1.0, 0.0, 1.0}
    keys = {(e.frame, e.matrix.tobytes()) for e in encodings}
    assert len(keys) == 144


@pytest.mark.parametrize(
    ("axes", "stored"),
    [
        ("opengl", (1, 2, 3)),
        ("opencv", (1, -2, -3)),
        ("directx", (1, -2, 3)),
        ("blender", (1, -3, 2)),
        ("+z+x-y", (3, 1, -2)),
    ],
)
def test_channels_hold_what_the_spelling_says(axes: str, stored: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(NormalEncoding("world", axes).matrix @ [1, 2, 3], stored)


@pytest.mark.parametrize("text", ["+x-y+z", "x-yz", " +X,-Y,+Z ", "DirectX", "directx"])
def test_spellings_of_directx(text: str) -> None:
    assert NormalEncoding("camera", text) == NormalEncoding("camera", "directx")


def test_every_name_reads_back_from_its_spelling() -> None:
    for name, spelling in NAMED_AXES.items():
        assert parse_axes(spelling) == name


@pytest.mark.parametrize("text", ["", "opengles", "+x+y", "+x+x+z", "+x+y+z+x", "xyw", "+-x+y+z"])
def test_unknown_axes_are_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match="--normal-axes") as error:
        NormalEncoding("camera", text)
    assert repr(text) in str(error.value)


def test_unknown_frame_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="--normal-frame 'object'"):
        check_frame("object")


def test_the_front_view_is_the_named_one_or_the_nearest() -> None:
    assert front_view((Camera.orbit("a", 90), Camera.orbit("b", 350), Camera.orbit("c", 20))) == 1
    assert front_view((Camera.orbit("a", 0), Camera.orbit("front", 40))) == 1
    assert front_view((Camera.orbit("a", 0, 60), Camera.orbit("b", 30, 0))) == 1


def test_decoding_undoes_encoding_for_all_encodings() -> None:
    rng = np.random.default_rng(1)
    cameras = (Camera.orbit("a", 30, 20, fov=30), Camera.orbit("b", 170, -15), Camera.orbit("c", 300))
    normals = rng.normal(size=(3, 5, 4, 3))
    normals = (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)
    masks = np.ones((3, 5, 4), np.float32)
    lengths = rng.uniform(0.3, 1.2, size=(3, 5, 4, 1)).astype(np.float32)
    for e in all_encodings():
        np.testing.assert_allclose(decode(lengths * encode(normals, cameras, e), masks, cameras, e), normals, atol=1e-5)


def test_decoded_normals_are_zero_outside_the_mask_and_where_nothing_is_stored() -> None:
    vectors = np.zeros((1, 2, 2, 3), np.float32)
    vectors[0, 0] = [0, 0, 0.7]
    vectors[0, 1, 0] = [0.01, 0, 0]
    masks = np.array([[[1, 0], [1, 1]]], np.float32)
    got = decode(vectors, masks, (Camera.orbit("a", 0),), NormalEncoding())
    np.testing.assert_array_equal(got[0, 0], [[0, 0, 1], [0, 0, 0]])
    assert not got[0, 1].any()
    assert got.dtype == np.float32


@pytest.mark.parametrize(
    ("azimuth", "colour"),
    [
        (0, (128, 128, 255)),
        (45, (218, 128, 218)),
        (90, (255, 128, 128)),
        (180, (128, 128, 0)),
        (270, (0, 128, 128)),
    ],
)
def test_a_wall_that_faces_the_camera_has_the_documented_colour(azimuth: float, colour: tuple[int, ...]) -> None:
    camera = Camera.orbit("v", azimuth)
    wall = np.broadcast_to(camera.rotation[2], (1, 1, 1, 3)).astype(np.float32)
    front = Camera.orbit("front", 0)
    read = encode(np.concatenate([wall, wall]), (camera, front), NormalEncoding("front"))
    assert tuple(to_colours(read)[0, 0, 0]) == colour
    own = encode(wall, (camera,), NormalEncoding("camera"))
    assert tuple(to_colours(own)[0, 0, 0]) == (128, 128, 255)


def test_colours_are_rounded_and_zero_is_mid_grey() -> None:
    steps = np.array(list(itertools.product([-1.0, -0.999, 0.0, 0.5, 1.0], repeat=3)))
    np.testing.assert_array_equal(to_colours(steps), np.floor(255 * (steps / 2 + 0.5) + 0.5))
    assert to_colours(np.zeros((1, 3))).tolist() == [[128, 128, 128]]
