"""Where weights come from: folders first, then the hub's cache; what is missing, foreign or unsafe is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from meshopt.errors import InputError
from meshopt.generate import folders, hub, registry
from meshopt.generate.adapters import Card, Part
from meshopt.generate.weights import Located, Places, check_places, locate, obtain

MAIN = Part("pipeline", "someone/model", "CC-BY-NC-4.0", "its README")
SECOND = Part("controlnet", "someone/control", "MIT", "its README", folder="controlnet")
CARD = Card("toy", "Toy", (MAIN, SECOND), ("ToyPipeline",), 4, 1.0, "this test")
CODED = Card("coded", "Coded", (MAIN,), ("ToyPipeline",), 4, 1.0, "this test", code="someone/code")
INDEX = {"_class_name": "ToyPipeline", "unet": ["diffusers", "UNet"], "scheduler": ["diffusers", "DDIMScheduler"],
         "safety_checker": [None, None], "number": 3}  # fmt: skip
Make = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty."""
    pytest.importorskip("diffusers")
    folder = tmp_path / "cache"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # a test that asks the network fails
    return folder


@pytest.fixture
def saved(tmp_path: Path) -> Make:
    """Makes a folder as diffusers saves a pipeline, of files that hold nothing."""

    def make(name: str = "model", suffix: str = ".safetensors", at: Path | None = None, control: bool = False) -> Path:
        folder = at or tmp_path / name
        (folder / "unet").mkdir(parents=True)
        (folder / "scheduler").mkdir()
        (folder / "model_index.json").write_text(json.dumps(INDEX))
        (folder / "unet" / f"diffusion_pytorch_model{suffix}").write_bytes(b"0" * 100)
        (folder / "unet" / f"diffusion_pytorch_model.fp16{suffix}").write_bytes(b"0" * 50)
        if control:
            (folder / "controlnet").mkdir()
            (folder / "controlnet" / "config.json").write_text("{}")
            (folder / "controlnet" / "diffusion_pytorch_model.safetensors").write_bytes(b"0" * 7)
        return folder

    return make


def in_cache(cache: Path, repository: str, revision: str = "a" * 40, kind: str = "models") -> Path:
    """Where the cache keeps a repository's files."""
    place = cache / f"{kind}--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(revision)
    (place / "snapshots" / revision).mkdir(parents=True)
    return place / "snapshots" / revision


def test_a_folder_has_all_parts(saved: Make, cache: Path) -> None:
    folder = saved(control=True)
    found = locate(CARD, Places(folder))
    assert [(f.part.name, f.folder, f.size) for f in found] == [
        ("pipeline", folder, 100), ("controlnet", folder / "controlnet", 7),
    ]  # fmt: skip
    weights = obtain(CARD, found, Places(folder))
    assert weights["controlnet"] == folder / "controlnet"
    assert weights.options == {"local_files_only": True, "use_safetensors": True}
    assert weights.record[0] == {"part": "pipeline", "folder": "model", "licence": "CC-BY-NC-4.0"}


def test_a_part_of_its_own_folder(saved: Make, cache: Path) -> None:
    main, other = saved("main"), saved("other", control=True) / "controlnet"
    found = locate(CARD, Places(main, {"controlnet": other}))
    assert found[1].folder == other


def test_the_readme_states_the_licence(saved: Make, cache: Path) -> None:
    folder = saved()
    for text, expected in (
        ("---\nlicense: openrail++\n---\n# Model\n", "openrail++"),
        ("---\nlicense: other\nlicense_name: own-terms\n---\n", "own-terms"),
        ("# Model\n", "CC-BY-NC-4.0"),
        ("---\n: [\n---\n", "CC-BY-NC-4.0"),
    ):
        (folder / "README.md").write_text(text)
        assert locate(CARD, Places(folder))[0].licence == expected


def test_the_cache_is_used_without_a_download(saved: Make, cache: Path) -> None:
    folder = saved(at=in_cache(cache, "someone/model"))
    main, control = locate(CARD, Places())
    assert (main.folder, main.revision, main.size) == (folder, "a" * 40, 100)
    assert main.origin == f"someone/model at {'a' * 40}, in the hub's cache"
    assert control.folder is None
    assert obtain(CARD, (main,), Places())["pipeline"] == folder
    with pytest.raises(InputError, match=r"part controlnet of toy \(someone/control\) is not on this machine"):
        obtain(CARD, (main, control), Places())


def test_a_download_that_was_broken_off_counts_as_none(saved: Make, cache: Path) -> None:
    folder = saved(at=in_cache(cache, "someone/model"))
    assert locate(CARD, Places())[0].folder == folder
    for file in (folder / "unet").iterdir():
        file.unlink()
    assert locate(CARD, Places())[0].folder is None
    (folder / "model_index.json").unlink()
    assert locate(CARD, Places())[0].folder is None


def test_nothing_is_downloaded_unasked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "download", lambda *given: pytest.fail("downloaded"))
    with pytest.raises(
        InputError,
        match=r"part pipeline of toy \(someone/model\) is not on this machine, and nothing is downloaded unasked: "
        r"--weights FOLDER takes it from a folder, --download fetches it \(CC-BY-NC-4.0\)",
    ):
        obtain(CARD, locate(CARD, Places()), Places())


def test_a_download_asks_for_what_is_needed(
    saved: Make, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot_download(repository: str, **options: object) -> str:
        if options.get("local_files_only"):
            from huggingface_hub.errors import LocalEntryNotFoundError

            raise LocalEntryNotFoundError("not there")
        asked.append((repository, options))
        return str(saved(at=tmp_path / repository.replace("/", "-") / ("b" * 40)))

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    places = Places(download=True, revision="v2")
    weights = obtain(CARD, locate(CARD, places), places)
    assert [repository for repository, _ in asked] == ["someone/model", "someone/control"]
    assert [options["revision"] for _, options in asked] == ["v2", None]
    assert "*.bin" not in asked[0][1]["allow_patterns"]
    assert weights.record[0] == {"part": "pipeline", "hub": "someone/model", "revision": "b" * 40,
                                 "licence": "CC-BY-NC-4.0"}  # fmt: skip


def test_two_folders_of_a_space(saved: Make, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts in folders of one space, with a pickle beside the components: each is asked for alone, at one revision."""
    one = Part("one", "spaces/someone/demo", "MIT", "its README", "one", True, "ckpt/one", ("s.pth",))
    two = replace(one, name="two", folder="two", inside="ckpt/two")
    card = replace(CARD, parts=(one, two))
    snapshot = in_cache(cache, "someone/demo", kind="spaces")
    first = saved(at=snapshot / "ckpt" / "one")
    places = Places(pickles=True, download=True, revision="a" * 40)
    assert [found.folder for found in locate(card, places)] == [None, None]  # the first lacks its pickle
    (first / "s.pth").write_bytes(b"0" * 9)
    found = locate(card, places)
    assert [(f.folder, f.revision, f.size) for f in found] == [(first, "a" * 40, 109), (None, "a" * 40, None)]
    asked = []

    def snapshot_download(repository: str, **options: object) -> str:
        asked.append((repository, options))
        (saved(at=snapshot / "ckpt" / "two") / "s.pth").write_bytes(b"0")
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    weights = obtain(card, found, places)
    assert weights["two"] == snapshot / "ckpt" / "two"
    assert [entry["revision"] for entry in weights.record] == ["a" * 40] * 2
    ((repository, options),) = asked
    assert (repository, options["repo_type"], options["revision"]) == ("someone/demo", "space", "a" * 40)
    assert {"ckpt/two/*.safetensors", "ckpt/two/s.pth"} < set(options["allow_patterns"])


def test_a_download_that_fails_is_one_sentence(cache: Path) -> None:
    places = Places(download=True)
    with pytest.raises(InputError, match=r"someone/model cannot be downloaded \(.*\): check the network, or take it"):
        obtain(CARD, locate(CARD, places), places)


def test_folders_that_are_none(saved: Make, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder .*gone does not exist, expected a folder with model_index.json"):
        locate(CARD, Places(tmp_path / "gone"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no model_index.json or config.json \(it is empty\)"):
        locate(CARD, Places(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"--part controlnet=.*gone does not exist"):
        locate(CARD, Places(saved(), {"controlnet": tmp_path / "gone"}))
    with pytest.raises(InputError, match="--part control: toy has no such part, expected pipeline, controlnet"):
        locate(CARD, Places(saved("b"), {"control": tmp_path}))


def test_incomplete_folders(saved: Make, cache: Path) -> None:
    folder = saved(control=True)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").unlink()
    with pytest.raises(InputError, match=r"unet holds no weights: expected a \.safetensors file"):
        obtain(CARD, locate(CARD, Places(folder)), Places(folder))
    (folder / "unet").rmdir()
    with pytest.raises(InputError, match=r"its model_index.json names unet, but there is no such folder"):
        obtain(CARD, locate(CARD, Places(folder)), Places(folder))


def test_pickles_only_where_they_are_allowed(saved: Make, cache: Path) -> None:
    folder = saved(suffix=".bin", control=True)
    with pytest.raises(InputError, match=r"unet holds its weights as a pickle .*--allow-pickle reads it"):
        obtain(CARD, locate(CARD, Places(folder)), Places(folder))
    weights = obtain(CARD, locate(CARD, Places(folder)), Places(folder, pickles=True))
    assert weights.options["use_safetensors"] is None


def test_published_pickles_are_not_downloaded_in_vain(cache: Path) -> None:
    card = replace(CARD, parts=(replace(MAIN, pickled=True),))
    places = Places(download=True)
    with pytest.raises(InputError, match=r"of toy \(someone/model\) is published as pickles, .*: --allow-pickle reads"):
        obtain(card, locate(card, places), places)


def test_code_runs_only_where_it_is_trusted(saved: Make, cache: Path) -> None:
    folder = saved()
    (folder / "pipeline.py").write_text("import json\nfrom .near import x\n")
    places = Places(folder)
    with pytest.raises(InputError, match=r"coded runs code of its authors, .*pipeline.py: read it, and allow it with "):
        obtain(CODED, locate(CODED, places), places)
    trusting = Places(folder, trust_code=True)
    weights = obtain(CODED, locate(CODED, trusting), trusting)
    assert weights["code"] == folder
    assert len(weights.record[1]["sha256"]) == 64


def test_code_on_the_hub_is_not_trusted_either(saved: Make, cache: Path) -> None:
    places = Places(saved(), download=True)
    with pytest.raises(InputError, match="coded runs code of its authors, someone/code on the hub: read it"):
        check_places(CODED, locate(CODED, places), places)


def test_packages_that_code_needs(saved: Make, cache: Path) -> None:
    folder = saved()
    (folder / "pipeline.py").write_text("import json, no_such_package\nfrom nor_this.one import two\n")
    places = Places(folder, trust_code=True)
    with pytest.raises(InputError, match=r"imports no_such_package and nor_this, which is not installed: pip install"):
        obtain(CODED, locate(CODED, places), places)
    (folder / "pipeline.py").write_text("def (")
    with pytest.raises(InputError, match="cannot be read as Python code"):
        obtain(CODED, locate(CODED, places), places)


def test_sizes_on_the_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [("unet/a.safetensors", 5), ("unet/a.fp16.safetensors", 3), ("unet/a.bin", 5), ("vae/b.safetensors", 2)]
    answer = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name, size=size) for name, size in files])
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda self, *given, **more: answer)
    assert hub.size_on_hub("someone/model", None) == 7
    assert hub.size_on_hub("someone/model", None, "unet", ("a.bin",)) == 10
    answer.siblings = [file for file in answer.siblings if file.rfilename.endswith(".bin")]
    assert hub.size_on_hub("someone/model", None) == 5
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda self, *given, **more: 1 / 0)
    assert hub.size_on_hub("someone/model", None) is None


def test_a_model_is_told_by_its_folder(saved: Make) -> None:
    toy = SimpleNamespace(card=CARD)
    folder = saved()
    assert registry.choose("Toy", {"toy": toy}) == (toy, None)
    assert registry.choose(str(folder), {"toy": toy}) == (toy, folder)
    (folder / "model_index.json").write_text('{"_class_name": "Other"}')
    with pytest.raises(InputError, match=r"names the class Other, which no model here has \(ToyPipeline\)"):
        registry.choose(str(folder), {"toy": toy})
    (folder / "model_index.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as a pipeline's index"):
        registry.choose(str(folder), {"toy": toy})
    (folder / "model_index.json").unlink()
    with pytest.raises(InputError, match=r"holds no model_index.json \(found scheduler, unet\)"):
        registry.choose(str(folder), {"toy": toy})
    with pytest.raises(InputError, match=r"--model 'toi' is no model and no folder \(did you mean toy\?\)"):
        registry.choose("toi", {"toy": toy})


def test_tokenizers_and_schedulers_have_no_tensors(saved: Make) -> None:
    assert [folder.name for folder in folders.components(saved())] == ["unet"]


def test_without_diffusers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"models need diffusers and .*: pip install 'meshopt3d\[generate\]'"):
        hub.cached("someone/model", None)


def test_where_is_said_in_words(tmp_path: Path) -> None:
    assert Located(MAIN, None, None, None, "MIT").origin == "someone/model on the hub, not on this machine"
    assert Located(MAIN, tmp_path, None, 3, "MIT").origin == str(tmp_path)
