"""A result's folder: complete, consistent, and never half there."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from meshopt.config import Config, OutputConfig, load_config
from meshopt.errors import InputError
from meshopt.io.meshes import load_mesh
from meshopt.report import folder as folder_module
from meshopt.report.folder import RESULT_FILES, check_result_folder, encode_preview, write_result


def test_all_files_are_written_in_user_units(result: SimpleNamespace, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result.config = Config(seed=3, output=OutputConfig(formats=("glb", "ply", "obj", "glb")))
    files = write_result(result, tmp_path / "out", plot=True)
    expected = {
        "mesh.glb",
        "mesh.obj",
        "mesh.ply",
        "report.html",
        "report.json",
        "preview.png",
        "curves.png",
        "config.yaml",
    }
    assert {f.name for f in files} == expected
    assert {f.name for f in (tmp_path / "out").iterdir()} == expected
    assert expected <= set(RESULT_FILES)
    assert load_config(tmp_path / "out" / "config.yaml") == result.config
    for kind in ("glb", "obj", "ply"):
        vertices = load_mesh(tmp_path / "out" / f"mesh.{kind}").vertices
        assert torch.equal(vertices, result.mesh.vertices * 2 + torch.tensor([1.0, 0, 0]))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["files"] == [f.name for f in files]
    assert report["views"][0]["silhouette_iou"] == 0.9


def test_report_holds_a_value_per_step_and_name(result: SimpleNamespace, tmp_path: Path) -> None:
    write_result(result, tmp_path / "out")
    text = (tmp_path / "out" / "report.json").read_text()
    curves = json.loads(text)["curves"]
    lengths = {stage: {name: len(values) for name, values in terms.items()} for stage, terms in curves.items()}
    assert lengths == {
        "coarse": {"normal": 3, "silhouette": 3},
        "fine": {"normal": 2, "silhouette": 2, "a new term": 2},
    }
    assert curves["coarse"]["normal"][0] == 0.333333
    assert curves["fine"]["silhouette"][0] is None
    assert '"normal": [0.333333, 0.2, 0.1]' in text
    assert not (tmp_path / "out" / "curves.png").exists()


def test_older_plot_goes_with_its_result(result: SimpleNamespace, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_result(result, tmp_path, plot=True)
    assert "curves.png" in json.loads((tmp_path / "report.json").read_text())["files"]
    write_result(result, tmp_path, overwrite=True)
    assert not (tmp_path / "curves.png").exists()


def test_empty_name_is_refused() -> None:
    """As from a shell variable that is not set."""
    with pytest.raises(InputError, match="--output is an empty text, expected a folder"):
        check_result_folder("")


def test_report_is_not_changed(result: SimpleNamespace, tmp_path: Path) -> None:
    before = dict(result.report)
    write_result(result, tmp_path / "out")
    assert result.report == before


def test_preview_needs_no_scores(result: SimpleNamespace) -> None:
    result.report = {}
    assert Image.open(io.BytesIO(encode_preview(result))).width > 300


def test_second_result_needs_overwrite(result: SimpleNamespace, tmp_path: Path) -> None:
    write_result(result, tmp_path)
    with pytest.raises(InputError, match="--overwrite"):
        check_result_folder(tmp_path)
    with pytest.raises(InputError, match="--overwrite"):
        write_result(result, tmp_path)
    check_result_folder(tmp_path, overwrite=True)


def test_mesh_name_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mesh.glb: names a file, expected a folder"):
        check_result_folder(tmp_path / "mesh.glb")
    (tmp_path / "odd.glb").mkdir()
    check_result_folder(tmp_path / "odd.glb")


@pytest.mark.parametrize("stage", ["encode_record", "encode_preview", "dump_config"])
def test_full_disk_keeps_the_old_result(
    result: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    write_result(result, tmp_path)
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder_module, stage, fail)
    result.mesh = result.mesh.with_vertices(result.mesh.vertices + 1)
    with pytest.raises(OSError, match="No space left"):
        write_result(result, tmp_path, overwrite=True)
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before
