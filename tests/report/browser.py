"""Headless Chromium, driven by its DevTools protocol through two pipes: nothing to install, no ports."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
]
SECONDS = 60.0  # that an answer may take
_CODES = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
_SHELL = 'exec 3<&"$0" 4>&"$1"; shift; exec "$@"'  # Chromium reads from 3 and writes to 4


class Browser:
    """One tab. `errors` are console errors, uncaught exceptions and refused loads; `requests` all that it asked for."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing, self._rest = reading, writing, b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def open(self, file: Path, width: int = 1200, height: int = 900, dark: bool = False, still: bool = True) -> None:
        """Loads a page from the disk, in a window of this size."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.appearance(dark, still)
        self.send("Page.navigate", url=file.absolute().as_uri())
        self.wait("document.readyState === 'complete'")

    def appearance(self, dark: bool, still: bool = True) -> None:
        """What the user prefers: a dark page, no motion."""
        scheme, motion = "dark" if dark else "light", "reduce" if still else "no-preference"
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self.send("Emulation.setEmulatedMedia", features=features)

    def run(self, code: str) -> Any:
        """The value of an expression in the page."""
        answer = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"{condition} is not true after {SECONDS} s"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of the first element that fits."""
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drag(self, selector: str, right: float, down: float, steps: int = 5) -> None:
        """From the middle of an element, with the left button."""
        x, y = self.middle(selector)
        self.send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=1)
        for i in range(1, steps + 1):
            place = {"x": x + right * i / steps, "y": y + down * i / steps}
            self.send("Input.dispatchMouseEvent", type="mouseMoved", button="left", buttons=1, **place)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", x=x + right, y=y + down, button="left")

    def touch(self, selector: str, *fingers: tuple[tuple[float, float], tuple[float, float]], steps: int = 5) -> None:
        """Fingers on an element, each from one place to another, in pixels from its middle."""
        x, y = self.middle(selector)

        def points(share: float) -> list[dict[str, float]]:
            return [
                {"id": i, "x": x + a + share * (c - a), "y": y + b + share * (d - b)}
                for i, ((a, b), (c, d)) in enumerate(fingers)
            ]

        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=points(0))
        for step in range(1, steps + 1):
            self.send("Input.dispatchTouchEvent", type="touchMove", touchPoints=points(step / steps))
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def middle(self, selector: str) -> tuple[float, float]:
        """Of an element, scrolled into the window."""
        x, y = self.run(
            f"(() => {{ const part = document.querySelector({json.dumps(selector)});"
            "part.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const box = part.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        return float(x), float(y)

    def key(self, name: str, text: str = "") -> None:
        """Pressed and released."""
        press: dict[str, Any] = {"key": name, "code": name, "windowsVirtualKeyCode": _CODES.get(name, 0)}
        self.send("Input.dispatchKeyEvent", type="keyDown", **press, **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **press)

    def picture(self, selector: str | None = None) -> np.ndarray:
        """RGB of the window, or of an element after it has been scrolled into it."""
        clip = {}
        if selector is not None:
            self.middle(selector)
            box = self.run(
                f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
                "return {x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height}; })()"
            )
            clip = {"clip": {**box, "scale": 1}}
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        data = self.send("Page.captureScreenshot", format="png", **clip)["data"]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))

    def _receive(self) -> dict[str, Any]:
        """The next message; what it says of errors and requests is noted."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._reading], [], [], SECONDS)
            content = os.read(self._reading, 1 << 20) if ready else b""
            assert content, "the browser does not answer"
            self._rest += content
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif message.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(str(params["args"]))
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(str(params["entry"]))
        elif message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message


@contextmanager
def started(profile: Path, *flags: str) -> Iterator[Browser]:
    """A browser with a profile of its own, ended afterwards."""
    assert CHROMIUM is not None
    inward, outward = os.pipe(), os.pipe()
    command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
    process = subprocess.Popen(
        ["bash", "-c", _SHELL, str(inward[0]), str(outward[1]), *command],
        pass_fds=(inward[0], outward[1]), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Browser(outward[0], inward[1])
    finally:
        process.terminate()
        process.wait(timeout=30)
        for end in (*inward, *outward):
            os.close(end)
