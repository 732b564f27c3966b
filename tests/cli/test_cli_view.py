"""`meshopt view`: what is opened, printed and refused."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest

from meshopt.cli import run
from meshopt.cli.main import BAD_INPUT, OK


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that the browser was asked to open; there is a display."""
    addresses: list[str] = []

    def open_(address: str) -> bool:
        addresses.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", open_)
    monkeypatch.setenv("DISPLAY", ":0")
    return addresses


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "a result" / "report.html"
    file.parent.mkdir()
    file.write_text("<p>")
    return file


def test_the_report_is_opened(page: Path, opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["view", str(page.parent)]) == OK
    assert opened == [page.as_uri()]
    assert capsys.readouterr().out == f"Opened {page}.\n"


def test_the_path_alone_is_printed(page: Path, opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["view", str(page.parent), "--print-path"]) == OK
    assert opened == []
    assert capsys.readouterr().out == f"{page}\n"


@pytest.mark.parametrize("how", ["no display", "refused", "error"])
def test_without_a_browser_the_path_is_told(
    how: str, page: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(address: str) -> bool:
        raise webbrowser.Error("none")

    if how == "no display":
        monkeypatch.setattr("sys.platform", "linux")
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
            monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setattr(webbrowser, "open", (lambda address: False) if how == "refused" else fail)
    assert run(["view", str(page)]) == OK
    assert capsys.readouterr().out.endswith(f": {page}\n")
    assert opened == []


def test_nothing_to_show(tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["view", str(tmp_path)]) == BAD_INPUT
    assert run(["view", str(tmp_path / "none")]) == BAD_INPUT
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"Error: {tmp_path}: holds neither report.html nor a mesh")
    assert second.startswith(f"Error: {tmp_path / 'none'}: no such file or folder")
    assert opened == []
