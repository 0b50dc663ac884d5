"""The process that keeps one model's server: starts it, watches it, ends it with its last user.

    python keeper.py FOLDER '{"command": [...], "hang": 30, ...}'

Uses the standard library alone, so that it starts quickly and is small, and runs as a file where
calm is not installed: so it renames its state into place itself. In FOLDER lie

    users.lock    shared by everyone who uses the server; once the keeper has it alone, all are
                  gone, however they ended: the system drops the lock of whoever dies
    server.lock   held by the keeper as long as it lives
    state.json    what it is doing: loading, ready (with the address), failed (with the reason)
    server.log    what the server printed

The server ends with the keeper, killed or not (see `server_process`).
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, TextIO

TICK = 0.25
"""Seconds between looks at users and server."""
LOG_BYTES = 4_000_000
"""After so much the log is begun anew."""


class Keeper:
    """Keeps one server for as long as someone holds the lock of users.

    Args:
        folder: where locks, state and log are.
        options: `command` of the server; `hang`, seconds without an answer to `/health` after which
            it is taken to hang; all else goes into the state as it is.
    """

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.folder = folder
        self.command = options.pop("command")
        self.hang = options.pop("hang")
        self.state = options | {"keeper": os.getpid(), "began": time.time()}
        self.unhealthy = threading.Event()

    def run(self) -> None:
        """Starts the server and stays until nobody uses it, or it is gone."""
        mine = (self.folder / "server.lock").open("w")
        if not _lock_soon(mine):
            return  # another keeper was quicker
        self.users = (self.folder / "users.lock").open("w")
        (self.folder / "server.log").write_bytes(b"")
        log = (self.folder / "server.log").open("ab")
        self.server = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            self.tell("loading", server=self.server.pid)
            self.watch()
        finally:
            self.server.kill()
            self.server.wait()

    def tell(self, what: str, **more: Any) -> None:
        """Writes the state, whole or not at all."""
        self.state |= {"state": what, **more}
        draft = self.folder / "state.json.partial"
        draft.write_text(json.dumps(self.state), "utf-8")
        draft.replace(self.folder / "state.json")

    def watch(self) -> None:
        """Returns when the last user is gone or the server has failed."""
        assert self.server.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.server.stdout, selectors.EVENT_READ)
            while True:
                if selector.select(TICK):
                    line = self.server.stdout.readline().decode().strip()
                    if not line:
                        self.tell("failed", why=self.death())
                        return
                    self.tell("ready", address=line)
                    threading.Thread(target=self.check_health, args=[line], daemon=True).start()
                if self.unhealthy.is_set():
                    self.tell("failed", why=f"the server hung: no word from it for {self.hang:g} s")
                    return
                if self.nobody_left():
                    (self.folder / "state.json").unlink(missing_ok=True)
                    return
                self.bound_log()

    def nobody_left(self) -> bool:
        """Returns whether no user holds the lock; it is then ours until this process is gone."""
        try:
            fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def death(self) -> str:
        """Returns how the server ended, with its last words."""
        try:
            code = self.server.wait(10)
        except subprocess.TimeoutExpired:
            return "the server closed its output"
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        text = (self.folder / "server.log").read_bytes()[-4000:].decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"the server ended {how}; its last words: {' / '.join(lines[-3:]) or 'none'}"

    def check_health(self, address: str) -> None:
        """Asks the server now and then whether it is well; sets `unhealthy` if it never says."""
        url = address.removesuffix("/v1") + "/health"
        answered_at = time.monotonic()
        while True:
            time.sleep(min(2.0, self.hang / 4))
            # Asked before the time is looked at: this process may have been held itself.
            if self.answers(url):
                answered_at = time.monotonic()
            elif time.monotonic() - answered_at >= self.hang:
                self.unhealthy.set()
                return

    def answers(self, url: str) -> bool:
        """Says whether the server answers, without waiting long."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=self.hang / 2) as answer:
                answer.read()
        except OSError:
            return False
        return True

    def bound_log(self) -> None:
        """Empties the log when it has grown long."""
        path = self.folder / "server.log"
        if path.stat().st_size > LOG_BYTES:
            os.truncate(path, 0)


def _lock_soon(file: TextIO) -> bool:
    """Takes a lock that others only look at for a moment; False if someone keeps it."""
    for _ in range(20):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


if __name__ == "__main__":
    Keeper(Path(sys.argv[1]), json.loads(sys.argv[2])).run()
