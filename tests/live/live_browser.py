"""A headless Chromium that a test steers, by the DevTools protocol over a pipe: no further program, no open port."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from report_browser import QUIET, binary

PATIENCE = 60.0
"""Seconds after which what was waited for is taken to be missing; a busy machine is no failure."""
FLAGS = tuple(flag for flag in QUIET if not flag.startswith("--virtual-time"))


class Tab:
    """One page. Every exception that its scripts do not catch, and what they log as errors, stands in `problems`."""

    def __init__(self, to: int, back: int):
        self._to, self._back = to, os.fdopen(back, "rb")
        self._number, self._rest, self._session = 0, b"", ""
        self.problems: list[str] = []
        self.asked: list[str] = []

    def begin(self) -> None:
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters: object) -> Any:
        """What the browser answers to a command of the protocol."""
        self._number += 1
        sent = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            sent["sessionId"] = self._session
        os.write(self._to, json.dumps(sent).encode() + b"\0")
        while True:
            told = self._read()
            if told.get("id") == self._number:
                assert "error" not in told, (method, told["error"])
                return told["result"]
            self._heard(told)

    def _read(self) -> Any:
        while b"\0" not in self._rest:
            more = os.read(self._back.fileno(), 1 << 16)
            assert more, "the browser is gone"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)

    def _heard(self, told: dict[str, Any]) -> None:
        about = told.get("params", {})
        if told.get("method") == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(about["exceptionDetails"])[:500])
        elif told.get("method") == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.problems.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
        elif told.get("method") == "Network.requestWillBeSent":
            self.asked.append(about["request"]["url"])

    def open(self, url: str) -> None:
        self.command("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is worth."""
        found = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        """Waits for an expression to be true."""
        end = time.monotonic() + PATIENCE
        while not (found := self.value(expression)):
            assert time.monotonic() < end, f"never true: {expression}; problems: {self.problems}"
            time.sleep(0.05)
        return found

    def text(self, selector: str) -> str:
        return self.value(f"document.querySelector({json.dumps(selector)}).textContent")

    def press(self, key: str, times: int = 1) -> None:
        """A key of the keyboard, such as ArrowRight."""
        code = {"ArrowRight": 39, "ArrowLeft": 37, "Tab": 9, "Enter": 13, " ": 32, "End": 35, "Home": 36}[key]
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                typed = {"text": text} if text and kind == "keyDown" else {}
                self.command("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **typed)

    def size(self, width: int, height: int) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def dark(self, yes: bool) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if yes else "light"}
        self.command("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        found = self.command("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def tab(folder: Path) -> Generator[Tab]:
    """A fresh browser with one tab, gone afterwards."""
    (hear, to), (back, tell) = os.pipe(), os.pipe()
    command = [binary(), *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "about:blank"]
    # the protocol is spoken on the descriptors 3 and 4
    shell = f"exec {shlex.join(command)} 3<&{hear} 4>&{tell}"
    process = subprocess.Popen(
        ["bash", "-c", shell],
        pass_fds=(hear, tell),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(hear)
    os.close(tell)
    shown = Tab(to, back)
    watch = threading.Timer(3 * PATIENCE, process.kill)  # a browser that says nothing ends the test, not the suite
    watch.start()
    try:
        shown.begin()
        yield shown
    finally:
        watch.cancel()
        os.close(to)  # the browser ends with its pipe
        process.wait(PATIENCE)
        shown._back.close()
