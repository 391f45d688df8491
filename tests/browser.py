"""A headless Chromium, driven over a pipe with the standard library alone."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_CHROMIUM = "no Chromium on the PATH: the page is not tried in a browser"

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\nIDATx\x9cc\0\1\0\0\5\0\1"
    b"\r\n-\xb4\0\0\0\0IEND\xaeB`\x82"
)
"""A picture of one pixel."""

TIMEOUT_S = 60.0
"""Longest wait for an answer of the browser; on a busy machine most of them take less than one second."""

KEYS = {"ArrowDown": 40, "ArrowUp": 38, "ArrowRight": 39, "Enter": 13}


def _move_up(descriptor: int) -> int:
    """Give a descriptor a number that does not collide with 3 and 4."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


class Browser:
    """One page in one browser; close it with `with`."""

    def __init__(self, page: Path, downloads: Path) -> None:
        to_read, self.commands = map(_move_up, os.pipe())
        self.answers, to_write = map(_move_up, os.pipe())
        self.process = subprocess.Popen(
            # The browser reads its commands from descriptor 3 and answers on descriptor 4.
            ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", CHROMIUM, "--headless",
             "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--remote-debugging-pipe", f"--user-data-dir={downloads / 'profile'}",
             "--window-size=1600,1000"],
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
        self._open("Page.navigate", url=page.resolve().as_uri())

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *error) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        os.close(self.commands)
        os.close(self.answers)

    def _open(self, method: str, **params) -> None:
        """Give a command that loads a page, and wait until it is loaded."""
        self.loaded = False
        self.ask(method, **params)
        until_s = time.monotonic() + TIMEOUT_S
        while not self.loaded:
            self._read(until_s)

    def reload(self) -> None:
        """Load the page once more."""
        self._open("Page.reload")

    def ask(self, method: str, timeout_s: float = TIMEOUT_S, **params) -> dict:
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

    def value(self, expression: str, timeout_s: float = TIMEOUT_S):
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

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, where the focus is."""
        for key in keys:
            typed = {"text": key} if len(key) == 1 else {}
            code = KEYS.get(key, ord(key[0].upper()))
            for kind in ("keyDown", "keyUp"):
                self.ask(
                    "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                    **(typed if kind == "keyDown" else {}),
                )  # fmt: skip

    def screenshot(self, path: Path) -> None:
        """Write what is seen to a PNG file."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
