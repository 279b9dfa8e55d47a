"""Debian's Chromium, driven through the pipe that it offers for that, so that no other package is needed."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

PATH = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(
    PATH is None, reason="Chromium is not installed (Debian: apt install chromium)"
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 120.0  # seconds for an answer on a machine that is busy


class Page:
    """One page: evaluate scripts, press, scroll, type, take pictures; all that it asked for and complained of is kept."""

    def __init__(
        self, profile: Path, width: int = 1280, height: int = 1000, flags: tuple[str, ...] = ()
    ) -> None:
        assert PATH is not None
        their_in, our_out = os.pipe()
        our_in, their_out = os.pipe()

        def as_three_and_four() -> None:
            # the pipes' own numbers may be 3 or 4, so they first move out of the way
            a, b = os.dup(their_in), os.dup(their_out)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [PATH, *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=as_three_and_four,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_in)
        os.close(their_out)
        self.input, self.output = our_in, our_out
        self.buffer, self.numbers, self.session = b"", itertools.count(1), ""
        self.requests: list[str] = []
        self.complaints: list[str] = []
        found = self.send("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in found if t["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.send("Browser.close")
        with contextlib.suppress(OSError):
            os.close(self.output)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.input)

    def send(self, verb: str, **arguments: Any) -> dict[str, Any]:
        number = next(self.numbers)
        message = {"id": number, "method": verb, "params": arguments}
        if self.session and not verb.startswith(("Target.", "Browser.")):
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == number:
                if "error" in found:
                    raise AssertionError(f"{verb}: {found['error']}")
                return found["result"]
            self._keep(found)

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            if not select.select([self.input], [], [], max(until - time.monotonic(), 0))[0]:
                raise TimeoutError("Chromium does not answer")
            more = os.read(self.input, 1 << 20)
            if not more:
                raise OSError("Chromium has ended")
            self.buffer += more
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def _keep(self, event: dict[str, Any]) -> None:
        verb, what = event.get("method"), event.get("params", {})
        if verb == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        if verb == "Runtime.exceptionThrown":
            self.complaints.append(str(what["exceptionDetails"].get("exception", what["exceptionDetails"])))
        if verb == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(what["args"]))
        if verb == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.complaints.append(what["entry"]["text"])

    def resize(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, what: Path | str) -> None:
        """Go to a file, or to an address."""
        self.send("Page.navigate", url=what if isinstance(what, str) else what.resolve().as_uri())
        self.ask("new Promise(r => document.readyState === 'complete' ? r() : addEventListener('load', r))")

    def ask(self, script: str) -> Any:
        """The value of an expression, awaited where it is a promise."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key by its name; a character types itself."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        held: dict[str, Any] = {"modifiers": 8} if shift else {}
        codes = {
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
            "PageUp": 33,
            "PageDown": 34,
            "Escape": 27,
            "Home": 36,
            "End": 35,
            "Tab": 9,
            "Enter": 13,
            " ": 32,
        }
        code = codes.get(key, ord(key[0]))
        self.send(
            "Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text, **held
        )
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code, **held)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def touch(self, kind: str, *fingers: tuple[float, float]) -> None:
        """Fingers on the screen: touchStart, touchMove or touchEnd."""
        points = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(fingers)]
        self.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def picture(self, to: Path, selector: str | None = None) -> Path:
        """A PNG of what is seen, or of one element whole."""
        clip = {}
        if selector is not None:
            box = self.ask(
                f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
                "return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height, scale: 1}; })()"
            )
            clip = {"clip": box, "captureBeyondViewport": True}
        to.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png", **clip)["data"]))
        return to
