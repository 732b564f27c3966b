"""Lint, format, types and layers: the other half of the one check command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import meshopt

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
HEAVY = {
    *("torch", "numba", "numpy", "scipy", "cv2", "PIL", "trimesh", "xatlas", "pydantic", "jaxtyping", "yaml", "rich"),
    *("safetensors", "diffusers", "transformers", "onnxruntime", "rembg", "matplotlib", "lpips"),
}
TOOLS = {
    "lint": ["-m", "ruff", "check", "."],
    "format": ["-m", "ruff", "format", "--check", "."],
    "types": ["-m", "mypy"],
    "layers": ["-c", "import sys; from importlinter.cli import lint_imports_command as run; run()"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_finds_nothing(tool: str) -> None:
    command = [sys.executable, *TOOLS[tool]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}", pytrace=False)


def test_every_package_is_installed() -> None:
    """A folder that pyproject.toml does not list is missing from the wheel."""
    listed = set(re.findall(r'^  "(meshopt[\w.]*)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    found = {".".join(f.parent.relative_to(ROOT).parts) for f in (ROOT / "meshopt").rglob("__init__.py")}
    assert found <= listed


def test_version_is_the_same_everywhere() -> None:
    declared = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert declared is None or declared[1] == meshopt.__version__


def test_public_names_exist() -> None:
    for name in meshopt.__all__:
        assert getattr(meshopt, name) is not None
    assert set(meshopt.__all__) <= set(dir(meshopt))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = meshopt.nothing_like_it


def test_imports_are_light() -> None:
    """`import meshopt`, `meshopt --version` and every `--help` load click and little else: seconds follow from that."""
    code = (
        "import sys; before = {*sys.modules}; import meshopt; print(*{*sys.modules} - before);"
        "import meshopt.cli; meshopt.cli.run(['--version']); from meshopt.cli.main import meshopt as root;"
        "[meshopt.cli.run([name, '--help']) for name in root.commands]; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    outside = {name.partition(".")[0] for name in first.split()} - set(sys.stdlib_module_names)
    assert outside == {"meshopt"}
    assert len([name for name in first.split() if name.startswith("meshopt")]) <= 3
    loaded = {name.partition(".")[0] for name in last.split()}
    assert "click" in loaded
    assert not loaded & HEAVY


def test_models_are_listed_without_diffusers() -> None:
    """Which models there are is known without the packages that run them; `import meshopt` is quick."""
    code = (
        "import sys, time; began = time.monotonic(); import meshopt; quick = time.monotonic() - began < 1.5;"
        "from meshopt.generate import registry; registry.view_models(); registry.normal_models();"
        "import meshopt.generate.stage, meshopt.generate.estimation;"
        "sys.exit(not quick or any(m in sys.modules for m in ('diffusers', 'transformers', 'huggingface_hub')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
