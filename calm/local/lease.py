"""Use of one model's server, shared by all processes of this user that name the same weights.

Whoever needs it first starts it (see `calm.local.keeper`), the others wait with it, and it is gone
soon after the last lease is closed or its process has died. What they share lies in a folder named
by the weights' hash, in `$XDG_RUNTIME_DIR/calm` or a folder of the user's own in the temporary one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any, TextIO

from calm.errors import EndpointError, UsageError
from calm.local.machine import ServerSettings, choose_settings
from calm.local.weights import Notify, Weights

HANG_SECONDS = 30.0
"""Without an answer to `/health`, which the server gives even under load."""
MAX_DEATHS = 3
_HERE = Path(__file__).parent
KEEPER = (sys.executable, "-P", str(_HERE / "keeper.py"))
"""The command of the keeper; the folder and its options, as JSON, are added."""
SERVER = (sys.executable, "-P", str(_HERE / "server_process.py"))
"""The command of the server; its options are added as JSON."""


def runtime_folder() -> Path:
    """Returns a folder on this machine that belongs to this user alone.

    Raises:
        UsageError: someone else's stands in its place.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK):
        folder = Path(base) / "calm"
    else:
        folder = Path(tempfile.gettempdir()) / f"calm-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise UsageError(
            f"{folder} belongs to someone else: set XDG_RUNTIME_DIR to your own folder"
        )
    return folder


def servers_folder(weights: Weights) -> Path:
    """Returns where the processes that use these weights meet."""
    return runtime_folder() / f"model-{weights.sha256[:32]}"


class ServerLease:
    """Keeps a model's server alive while it is open, once it was asked for its address.

    Args:
        beside: whether the job computes while the model answers.
        threads, slots, context: None chooses by the machine; a server that runs already is taken
            as it is.
        tell: called with a line on what is waited for.
        hang: seconds without an answer after which the server is taken to hang; None
            for `HANG_SECONDS`.
        server: the command of the server; None for `SERVER`.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        beside: bool = False,
        threads: int | None = None,
        slots: int | None = None,
        context: int | None = None,
        tell: Notify = lambda line: None,
        hang: float | None = None,
        server: tuple[str, ...] | None = None,
    ) -> None:
        self.weights = weights
        self.tell = tell
        self.hang = hang or HANG_SECONDS
        self.server = server or SERVER
        self._wanted: dict[str, Any] = {
            "beside": beside, "threads": threads, "slots": slots, "context": context,
        }  # fmt: skip
        self._lock = threading.Lock()
        self._files = contextlib.ExitStack()
        self._starting: TextIO | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._address = ""
        self._began = self._last_line_at = 0.0
        self._deaths = 0
        self.close = weakref.finalize(self, self._files.close)
        """Gives the lease up; the server ends if it was the last."""

    # --- the address -----------------------------------------------------------------------------

    def wait(self) -> str:
        """Returns the server's base URL, started and waited for if need be.

        Raises:
            UsageError: the model does not fit into memory. EndpointError: the server can't start,
                or has died too often.
        """
        while not (address := self.step()):
            time.sleep(0.1)
        return address

    def step(self) -> str:
        """Returns the server's base URL if it is ready; else does what can be done at once, and "".

        Raises:
            UsageError, EndpointError: as `wait`.
        """
        with self._lock:
            if not self.close.alive:
                raise EndpointError(f"the lease of {self.weights.id} is closed")
            if self._address:
                if self.alive():
                    return self._address
                self._note_death()
            return self._step()

    def _step(self) -> str:
        if self._folder is None and not self._hold():
            return ""  # the last server is just ending
        if not self.alive():
            self._start()
            return ""
        self._stop_starting()
        state = self.state()
        if state.get("state") == "ready":
            self._address = str(state["address"])
            self._say_ready(state)
        elif time.monotonic() - self._last_line_at > 5:
            self._say(f"loading {self.weights.id}: {time.monotonic() - self._began:.0f} s")
        return self._address

    def _hold(self) -> bool:
        """Takes part in the lock of users; False if the keeper has it, which is about to go."""
        folder = servers_folder(self.weights)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = (folder / "users.lock").open("w")
        try:
            fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            users.close()
            return False
        self._files.callback(_release, users)
        _held.add(users)
        self._folder = folder
        self._began = time.monotonic()
        return True

    def alive(self) -> bool:
        """Says whether a keeper, and so its server, is there."""
        if self._folder is None:
            return False
        with (self._folder / "server.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def state(self) -> dict[str, Any]:
        """Returns what the keeper says of the server; empty if it says nothing."""
        try:
            assert self._folder is not None
            value = json.loads((self._folder / "state.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def wait_for_end(self, seconds: float = 30.0) -> None:
        """Returns when the server has ended after `close`, or others are found to use it still."""
        end = time.monotonic() + seconds
        while self.alive() and time.monotonic() < end:
            time.sleep(0.1)

    # --- starting and ending ---------------------------------------------------------------------

    def _start(self) -> None:
        """Starts a keeper, unless another process is just doing it."""
        assert self._folder is not None
        if self._keeper is not None:
            if self._keeper.poll() is None:
                return  # it has not come so far
            why = self.state().get("why") or f"its keeper ended with {self._keeper.returncode}"
            self._stop_starting()
            self._keeper = None
            raise EndpointError(
                f"{self.weights.id} can't be served: {why}. The whole log:"
                f" {self._folder / 'server.log'}"
            )
        file = (self._folder / "start.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return
        if self.alive():
            file.close()
            return
        self._starting = file
        self._files.callback(file.close)
        (self._folder / "state.json").unlink(missing_ok=True)
        try:
            settings = choose_settings(self.weights.header, **self._wanted)
        except UsageError:
            self._stop_starting()
            raise
        self._spawn(settings)

    def _stop_starting(self) -> None:
        """Lets others start the server."""
        if self._starting is not None:
            self._starting.close()
            self._starting = None

    def _spawn(self, settings: ServerSettings) -> None:
        assert self._folder is not None
        self._began = time.monotonic()
        size = self.weights.header.size / 1e6
        self._say(
            f"loading {self.weights.id} ({size:,.0f} MB) on {_count(settings.threads, 'thread')}"
        )
        serving = settings.to_dict() | {
            "path": str(self.weights.path),
            "name": f"local:{self.weights.id}",
        }
        options = serving | {"command": [*self.server, json.dumps(serving)], "hang": self.hang}
        # A session of its own: Ctrl-C ends the job that started it, not what others use.
        self._keeper = subprocess.Popen(
            [*KEEPER, str(self._folder), json.dumps(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        threading.Thread(target=self._keeper.wait, daemon=True).start()  # leaves no zombie

    def _note_death(self) -> None:
        """Counts a server that ended while it was used; too many are an error."""
        self._address = ""
        self._keeper = None
        self._deaths += 1
        why = self.state().get("why", "its keeper was killed")
        if self._deaths >= MAX_DEATHS:
            raise EndpointError(
                f"the server of {self.weights.id} died {self._deaths} times; the last time: {why}."
                " All answers so far are kept"
            )
        self._say(f"the server of {self.weights.id} is gone ({why}); starting it again")

    def _say_ready(self, state: dict[str, Any]) -> None:
        threads, slots = (_count(int(state[f"{n}s"]), n) for n in ("thread", "slot"))
        self._say(
            f"{self.weights.id} is ready after {time.monotonic() - self._began:.1f} s: {threads},"
            f" {slots} of {state['context']} tokens"
        )

    def _say(self, line: str) -> None:
        self._last_line_at = time.monotonic()
        self.tell(line)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


_held: weakref.WeakSet[TextIO] = weakref.WeakSet()
"""Locks of users that this process holds."""


def _release(users: TextIO) -> None:
    """Gives a lock up, also where a forked process still has the file open."""
    if not users.closed:
        fcntl.flock(users, fcntl.LOCK_UN)
        users.close()


def _forget_inherited() -> None:
    """Closes in a forked process what is its parent's: it shall not outlive the parent there."""
    for users in list(_held):
        users.close()


os.register_at_fork(after_in_child=_forget_inherited)
