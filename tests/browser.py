"""A headless Chromium, driven over a pipe with the standard library alone."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_CHROMIUM = "no Chromium on the PATH: the page is not tried in a browser"

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\nIDATx\x9cc\0\1\0\0\5\0\1"
    b"\r\n-\xb4\0\0\0\0IEND\xaeB`\x82"
)
"""A picture of one pixel."""

KEYS = {
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Escape": 27, "Delete": 46,
    "Tab": 9,
}  # fmt: skip

ANSWER_S = 60.0
"""A browser that says nothing for so long will never answer."""


def _move_up(descriptor: int) -> int:
    """Give a descriptor a number that does not collide with 3 and 4."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


class Browser:
    """One page in one browser; close it with `with`."""

    def __init__(self, page: Path, downloads: Path, size: tuple[int, int] = (1600, 1000)) -> None:
        to_read, self.commands = map(_move_up, os.pipe())
        self.answers, to_write = map(_move_up, os.pipe())
        self.process = subprocess.Popen(
            # The browser reads its commands from descriptor 3 and answers on descriptor 4.
            ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", CHROMIUM, "--headless",
             "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--remote-debugging-pipe", f"--user-data-dir={downloads / 'profile'}",
             f"--window-size={size[0]},{size[1]}"],
            pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self.count, self.unread, self.session = 0, b"", None
        self.errors: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        self.ask("Runtime.enable")
        self.ask("Log.enable")
        self.ask("Page.enable")
        self.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        width, height = size
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.open(page)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *error) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=ANSWER_S)
        except subprocess.TimeoutExpired:  # how long it takes to end is no matter of the page
            self.process.kill()
            self.process.wait()
        os.close(self.commands)
        os.close(self.answers)

    def open(self, page: Path) -> None:
        """Open a page and wait until it has loaded."""
        self._wait_for_load("Page.navigate", url=page.resolve().as_uri())

    def reload(self) -> None:
        """Load the page again."""
        self._wait_for_load("Page.reload")

    def _wait_for_load(self, method: str, **params) -> None:
        self.loaded = False
        self.ask(method, **params)
        until_s = time.monotonic() + ANSWER_S
        while not self.loaded:
            self._read(until_s)

    def ask(self, method: str, timeout_s: float = ANSWER_S, **params) -> dict:
        """Send a command of the DevTools protocol and wait for its answer.

        Raises
        ------
        TimeoutError
            When there is none in time.
        """
        until_s = time.monotonic() + timeout_s
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while (answer := self._read(until_s)).get("id") != self.count:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self, until_s: float) -> dict:
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.answers], [], [], max(0.0, until_s - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.answers, 2**16)
            assert piece, "the browser has ended"
            self.unread += piece
        content, self.unread = self.unread.split(b"\0", 1)
        message = json.loads(content)
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.errors.append(json.dumps(message["params"]))
        if message.get("method") == "Page.loadEventFired":
            self.loaded = True
        return message

    def value(self, expression: str, timeout_s: float = ANSWER_S):
        """Evaluate JavaScript in the page; wait for a promise, but no longer than asked.

        Raises
        ------
        TimeoutError
            When the promise is not kept in time.
        """
        answer = self.ask("Runtime.evaluate", timeout_s, expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, text: str, n_loads: int = 5, timeout_s: float = 10.0) -> str:
        """Wait until the page shows a text, and return all that it shows.

        The page is loaded again where the text does not come: SCT's page sometimes opens with an empty
        table, with or without entries of ours.

        Raises
        ------
        TimeoutError
            When the text does not come at all.
        """
        look = (
            f"new Promise((done) => {{ const look = () => document.body.innerText.includes({json.dumps(text)})"
            " ? done(document.body.innerText) : setTimeout(look, 100); look(); })"
        )
        for _ in range(n_loads):
            try:
                return self.value(look, timeout_s)
            except TimeoutError:
                self.reload()
        raise TimeoutError(f"the page never shows {text!r}, {n_loads} times loaded")

    def wait_until(self, condition: Callable[[], bool], seconds: float = ANSWER_S) -> None:
        """Wait until something holds; fail where it never does."""
        until_s = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until_s, "it did not come about"
            time.sleep(0.02)

    def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys, one after the other, where the focus is."""
        for key in keys:
            typed = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            code = KEYS.get(key, ord(key[0].upper()))
            for kind in ("keyDown", "keyUp"):
                self.ask(
                    "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, modifiers=8 * shift,
                    **(typed if kind == "keyDown" else {}),
                )  # fmt: skip

    def mouse(self, kind: str, x: float, y: float, clicks: int = 1) -> None:
        """Press, move or release the left button at a place of the window [px]."""
        names = {"press": "mousePressed", "move": "mouseMoved", "release": "mouseReleased"}
        self.ask(
            "Input.dispatchMouseEvent", type=names[kind], x=x, y=y, button="left", buttons=int(kind != "release"),
            clickCount=clicks,
        )  # fmt: skip

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag with the left button from one place to another, in a few steps as a hand does."""
        self.mouse("press", *start)
        for share in (0.2, 0.6, 1.0):
            self.mouse("move", *(a + share * (b - a) for a, b in zip(start, end, strict=True)))
        self.mouse("release", *end)

    def double_click(self, x: float, y: float) -> None:
        """Click twice at one place."""
        for clicks in (1, 2):
            self.mouse("press", x, y, clicks)
            self.mouse("release", x, y, clicks)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input of the page."""
        node = self.ask("DOM.getDocument")["root"]["nodeId"]
        found = self.ask("DOM.querySelector", nodeId=node, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=found, files=[str(path)])

    def screenshot(self, path: Path) -> None:
        """Write what is seen to a PNG file."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
