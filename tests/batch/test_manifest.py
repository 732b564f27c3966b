"""Manifests and folders: what they name, and one sentence with the line for whatever they should not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from meshopt.batch import Asset, read_assets
from meshopt.config import load_config
from meshopt.errors import InputError

Read = Callable[..., "list[Asset | InputError]"]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """What a manifest of these bytes names."""

    def written(content: str | bytes, name: str = "a.csv") -> list[Asset | InputError]:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(read_assets(str(tmp_path / name), str(tmp_path / "out")))

    return written


def problem(found: list[Asset | InputError]) -> str:
    (error,) = [item for item in found if isinstance(item, InputError)]
    return str(error)


def test_csv(read: Read, tmp_path: Path) -> None:
    (tmp_path / "mesh.ply").touch()
    found = read(
        "\ufeffname,views,normals,cameras,output.faces,output.formats,initial.method\n"
        'a, x/rgb,/abs/normals,,5000,"[glb, ply]",mesh.ply\n'
        "\n"
        '"b",s3://bucket/b,,cameras.json,,,hull\n'
    )
    a, b = found
    assert isinstance(a, Asset)
    assert isinstance(b, Asset)
    assert (a.name, a.views, a.normals) == ("a", f"{tmp_path}/x/rgb", "/abs/normals")
    assert (b.name, b.views, b.normals) == ("b", "s3://bucket/b", None)
    config = load_config(None, a.settings)
    assert (config.output.faces, config.output.formats) == (5000, ("glb", "ply"))
    assert config.initial.method == f"{tmp_path}/mesh.ply"
    assert {item.key: item.value for item in b.settings} == {
        "views.rig": f"{tmp_path}/cameras.json",
        "initial.method": "hull",
    }
    assert a.origin == f"{tmp_path}/a.csv, line 2"
    assert b.origin == f"{tmp_path}/a.csv, line 4"


def test_jsonl(read: Read, tmp_path: Path) -> None:
    lines = [
        {"name": "a", "folder": "a", "output.faces": 5000, "optimize": {"view_weights": {"front": 2}, "fine_steps": 3}},
        {"name": "b", "views": "b", "normals": None},
    ]
    a, b = read("\n".join(map(json.dumps, lines)), "a.jsonl")
    assert isinstance(a, Asset)
    assert isinstance(b, Asset)
    assert (a.views, b.views) == (f"{tmp_path}/a", f"{tmp_path}/b")
    config = load_config(None, a.settings)
    assert (config.output.faces, config.optimize.fine_steps) == (5000, 3)
    assert config.optimize.view_weights == {"front": 2}


HEAD = "name,views,output.faces\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (HEAD + "../x,v,\n", "line 2: the name '../x' has a /"),
        (HEAD + ",v,\n", "line 2: the name '' is empty"),
        (HEAD + "a,,\n", "line 2: 'a' has nothing to be read"),
        (HEAD + "a,v\n", "line 2: has 2 cells, expected 3"),
        (HEAD + "a,v,many\n", "line 2, output.faces: setting 'output.faces' is \"many\", expected a whole number"),
        (HEAD + "a,v,3\n", "expected a number greater than or equal to 100"),
        (HEAD + "a,v,[\n", "no valid YAML"),
        (HEAD + 'a,v,"[&a x, *a]"\n', "without & and *"),
        (HEAD + "a,v,\nA,v,\n", "line 3: the name 'A' is also that of"),
        (HEAD + "a,v,\na,v,\n", "line 3: the name 'a' is also that of"),
        (HEAD + "a,v\0,\n", "line 2: holds a NUL"),
        (HEAD.encode() + b"\xff,v,\n", "line 2: is no UTF-8 text (byte 1)"),
        (HEAD + 'a,"v,\n', "line 2: no valid CSV"),
        (HEAD + "a,\x1b[2J,\n", "line 2: views has a control character"),
        (HEAD + "a,v," + "9" * 20_000 + "\n", "line 2: output.faces has 20000 characters"),
        (HEAD + "a,v," + "9" * 200_000 + "\n", "line 2: no valid CSV (field larger"),
        (HEAD + "a,v," + "9" * 2_000_000 + "\n", "line 2: is longer than 1 MiB"),
        ("name,views,cameras,views.rig\na,v,c.json,unique3d\n", "line 2: has cameras and views.rig"),
        ("name,views,folder\na,v,f\n", "line 2: has folder and views"),
    ],
)
def test_wrong_lines(read: Read, content: str | bytes, sentence: str) -> None:
    said = problem(read(content))
    assert "a.csv, " in said
    assert sentence in said
    assert said.isprintable()
    assert len(said) < 500


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty, expected the names of the columns"),
        ("views,normals\n", "expected one of them to be 'name'"),
        ("name,name\n", "the column 'name' is there twice"),
        ("name,vies\n", "'vies' is unknown, did you mean 'views'?"),
        ("name,output.face\n", "did you mean 'output.faces'?"),
        ("name" + ",views" * 2000 + "\n", "has 2001 columns"),
        (HEAD, "names no assets"),
        (b"\xff\xfen\0a\0m\0e\0", "line 1: is no UTF-8"),
    ],
)
def test_no_manifest(read: Read, content: str | bytes, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        read(content)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("[1]", "line 2: found '[1]', expected an object"),
        ('{"name": "b"', "line 2: no valid JSON in column"),
        ('{"name": "b", "name": "c"}', "line 2: the key 'name' is there twice"),
        ('{"name": "b", "views": 3}', "line 2: views is 3, expected a text"),
        ('{"name": 3, "views": "v"}', "line 2: name is 3, expected a text"),
        ('{"name": "b", "views": "v", "seed": NaN}', "line 2: no valid JSON (NaN"),
        ('{"name": "b", "views": "v\\u0000"}', "line 2: views has a control character"),
        ('{"name": "b\\ud800", "views": "v"}', "line 2: is no Unicode text"),
        ('{"name": "b", "views": "v", "seed": 1e99}', "line 2, seed: setting 'seed'"),
        ('{"name": "b", "views": "v", "output": {"face": 3}}', "did you mean 'output.faces'?"),
        ('{"name": "b", "seed": 1, "output": {"faces": 200}, "output.faces": 300}', "'output.faces' is there twice"),
        ("[" * 100_000, "line 2: no valid JSON"),
        ('{"seed": ' + "9" * 10_000 + "}", "line 2: no valid JSON"),
        ('{"views": "v"}', "line 2: the name '' is empty"),
    ],
)
def test_wrong_lines_of_json(read: Read, line: str, sentence: str) -> None:
    found = read('{"name": "a", "views": "v"}\n' + line + '\n{"name": "z", "views": "v"}', "a.jsonl")
    assert sentence in problem(found)
    assert [item.name for item in found if isinstance(item, Asset)] == ["a", "z"]


@given(some.binary(max_size=200), some.sampled_from(["a.csv", "a.jsonl"]), some.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_bytes_are_there_is_a_sentence(read: Read, content: bytes, name: str, headed: bool) -> None:
    head = HEAD.encode() if headed else b""
    try:
        found = read(head + content, name)
    except InputError:
        return
    assert all(isinstance(item, (Asset, InputError)) for item in found)


def test_a_manifest_is_read_as_it_is_needed(tmp_path: Path) -> None:
    with (tmp_path / "a.jsonl").open("w") as file:
        file.writelines(f'{{"name": "a{i}", "views": "v"}}\n' for i in range(100_000))
        file.write("broken")
    first = islice(read_assets(str(tmp_path / "a.jsonl"), "out"), 3)
    assert [item.name for item in first if isinstance(item, Asset)] == ["a0", "a1", "a2"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes")
def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    (Path(os.fsdecode(bytes(tmp_path / "a") + b"\xff"))).mkdir()
    said = problem(list(read_assets(str(tmp_path), "out")))
    assert "is no Unicode text" in said
    assert said.isascii()


def test_a_folder_of_assets(tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "file.png").touch()
    found = list(read_assets(str(tmp_path), str(tmp_path / "out")))
    assert [(a.name, a.views) for a in found if isinstance(a, Asset)] == [
        ("a", f"{tmp_path}/a"),
        ("b", f"{tmp_path}/b"),
    ]


@pytest.mark.parametrize(
    ("folders", "place", "sentence"),
    [
        ([], "", "holds no folders"),
        (["views", "normals"], "", "as one asset does"),
        ([], "absent", "no such file or folder"),
        ([], "a.txt", "is no manifest"),
        ([], "a.csv", "cannot be read"),
    ],
)
def test_no_folder_of_assets(folders: list[str], place: str, sentence: str, tmp_path: Path) -> None:
    for name in folders:
        (tmp_path / name).mkdir()
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError) as error:
        list(read_assets(str(tmp_path / place), "out"))
    assert sentence in str(error.value)
