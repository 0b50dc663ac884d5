"""A headless Chromium, driven over a pair of pipes: the DevTools protocol, no package needed."""

from __future__ import annotations

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
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def executable() -> str | None:
    """Chromium on this machine, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page of a fresh Chromium that can reach nothing but 127.0.0.1."""

    def __init__(self, profile: Path) -> None:
        ours_r, theirs_w = os.pipe()
        theirs_r, ours_w = os.pipe()
        # Chromium reads file descriptor 3 and writes 4, whatever those are here: bash puts theirs
        # there in the child alone.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs_r, theirs_w)]
        script = f'exec "$0" "$@" 3<&{theirs[0]} 4>&{theirs[1]}'
        self.process = subprocess.Popen(
            [
                *("bash", "-c", script),
                executable() or "chromium",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                f"--user-data-dir={profile}",
                "--remote-debugging-pipe",
            ],
            pass_fds=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (theirs_r, theirs_w, *theirs):
            os.close(fd)
        self._read, self._write = ours_r, ours_w
        self._buffer = b""
        self._next = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        self.new_window()

    def new_window(self) -> str:
        """Opens another window of the same browser, speaks to it from now on; returns its name."""
        self._session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        return self._session

    def use(self, window: str) -> None:
        """Speaks to another window from now on."""
        self._session = window

    def download_to(self, folder: Path) -> None:
        """Lets pages save files, into this folder."""
        window, self._session = self._session, ""
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self._session = window

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer; events that come first are kept."""
        self._next += 1
        message: dict[str, Any] = {"id": self._next, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._next:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], 120)[0]:
                raise TimeoutError("Chromium does not answer")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise RuntimeError("Chromium has ended")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 90) -> Any:
        """Waits until an expression is true in the page, or in the one that takes its place."""

        def value() -> Any:
            try:
                return self.js(expression)
            except RuntimeError as error:
                if "navigated or closed" not in str(error):
                    raise
                return None  # the page went while it was asked

        return self.until(value, expression, seconds)

    def until(self, true: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        """Waits until a function returns something true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := true():
                return value
            time.sleep(0.05)
        raise TimeoutError(f"never so: {what}\n{self.js('document.body.innerText')}")

    def open(self, url: str) -> None:
        """Goes to a page and waits for it."""
        self.send("Page.navigate", url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def press(self, key: str) -> None:
        """Presses and releases one key."""
        code = {"Enter": 13, "Tab": 9}.get(key, ord(key[0].upper()))
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        shared = {"key": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", **shared, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **shared)

    def resize(self, width: int, height: int) -> None:
        """Shows the page at a size, as a phone would."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def picture(self, path: Path) -> None:
        """Saves a screenshot."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def complaints(self) -> list[str]:
        """Errors that the page has logged, broken policy included; a server gone is none."""
        found = [e["params"]["entry"] for e in self.events if e.get("method") == "Log.entryAdded"]
        errors = [e["text"] for e in found if e["level"] == "error" and e["source"] != "network"]
        errors += [
            str(e["params"]["exceptionDetails"])
            for e in self.events
            if e.get("method") == "Runtime.exceptionThrown"
        ]
        return errors

    def requested(self) -> set[str]:
        """Addresses that the page has asked for."""
        return {
            e["params"]["request"]["url"]
            for e in self.events
            if e.get("method") == "Network.requestWillBeSent"
        }

    def close(self) -> None:
        """Ends Chromium."""
        self.process.terminate()
        self.process.wait(20)
        os.close(self._read)
        os.close(self._write)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
