"""Claims on cells, for workers on several machines that share nothing but a folder.

A claim is a file that only one worker can create: FOLDER/1, then FOLDER/2 and so on; the highest
number holds. Its holder rewrites it every few seconds, as a sign of life. A worker that sees no new
sign for some minutes *by its own clock* takes the claim for dead and creates the next number; so
clocks that differ do no harm. A holder that finds a higher number has lost its claim and stops.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from agents.cluster.versions import host

BEAT_SECONDS = 15.0
"""Between two signs of life."""
DEAD_SECONDS = 180.0
"""Without a sign, after which a holder is taken for dead."""


State = Literal["held", "released", "lost", "failed", "done"]


@dataclass(frozen=True)
class Held:
    """What a claim's file says."""

    holder: str
    """Host, process and a random part."""
    beat: int
    """Counts up."""
    steps: int
    """Of the cell's checkpoint when the claim was made."""
    losses: int
    """Holders in a row that were lost before, with no later checkpoint."""
    state: State
    reason: str = ""
    """Of a failure, in words."""


class Claims:
    """The claims on one cell, as one worker sees them.

    Args:
        folder: of the claims.
        dead_seconds: without a sign of life, after which a holder is taken for dead.
    """

    def __init__(self, folder: Path, dead_seconds: float = DEAD_SECONDS) -> None:
        self._folder, self._dead_seconds = folder, dead_seconds
        me = f"{host()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._mine = Held(me, 0, 0, 0, "held")
        self._number: int | None = None
        """Of this worker's claim; None where it has none."""
        number = self._highest()
        last = self._read(number)
        self._failed_before = number if last is not None and last.state == "failed" else None
        """Of a claim under which the cell had failed before this worker came; it is tried anew, as
        a study on one machine does."""
        self._last_sign: tuple[int, Held | None] = (0, None)
        self._since = time.monotonic()

    @property
    def losses(self) -> int:
        """How many holders in a row were lost before this worker's claim."""
        return self._mine.losses

    def latest(self) -> Held | None:
        """Returns what the claim says that holds; None where there is none that can be read."""
        return self._read(self._highest())

    def take(self, steps: Callable[[], int]) -> bool:
        """Claims the cell, if nobody who lives does; returns whether it is claimed now.

        A cell that is done is not claimed again, nor one that failed while this worker was there.

        Args:
            steps: tells those of the cell's checkpoint, where a holder was lost.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        number = self._highest()
        if not number:
            return self._create(1, 0, 0)
        held = self._read(number)
        tried_anew = number == self._failed_before
        if held is not None and held.state in ("done", "failed") and not tried_anew:
            return False
        if held is not None and (held.state == "released" or tried_anew):
            return self._create(number + 1, held.steps, 0)
        if held is None or held.state == "held":
            if (number, held) != self._last_sign:
                self._last_sign, self._since = (number, held), time.monotonic()
            if time.monotonic() < self._since + self._dead_seconds:
                return False
        before, losses = (held.steps, held.losses) if held is not None else (0, 0)
        now = steps()
        return self._create(number + 1, now, 0 if now > before else losses + 1)

    def beat(self) -> bool:
        """Gives a sign of life; returns False where another worker has taken the claim over.

        Raises:
            OSError: the sign can't be written; the last one is still there.
        """
        if self._number is None or self._highest() != self._number:
            self._number = None
            return False
        self._mine = replace(self._mine, beat=self._mine.beat + 1)
        self._write()
        return True

    def release(self, state: State, reason: str = "") -> None:
        """Gives the claim up, and says to all workers how it has ended.

        Where that can't be written, they will take this worker for dead, and look for themselves.
        """
        with contextlib.suppress(OSError):
            if self._number is not None and self._highest() == self._number:
                self._mine = replace(self._mine, state=state, reason=reason[:2000])
                self._write()
        self._number = None

    def _create(self, number: int, steps: int, losses: int) -> bool:
        """Creates a claim, which one worker of many can; returns whether it is this one.

        Raises:
            OSError: the folder can't be written.
        """
        try:
            file = os.open(self._folder / str(number), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        os.close(file)
        self._number = number
        self._mine = Held(self._mine.holder, 0, steps, losses, "held")
        self._write()
        return True

    def _write(self) -> None:
        """Replaces this worker's claim, whole: on a full disk the last one stays."""
        target = self._folder / str(self._number)
        beside = self._folder / f".{self._number}.{self._mine.holder.rpartition(':')[2]}"
        try:
            beside.write_text(json.dumps(asdict(self._mine)), "utf-8")
            beside.replace(target)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def _highest(self) -> int:
        """Returns the highest number of a claim, 0 where there is none."""
        with contextlib.suppress(FileNotFoundError):
            return max((int(n) for n in os.listdir(self._folder) if n.isdigit()), default=0)
        return 0

    def _read(self, number: int) -> Held | None:
        """Returns what a claim says; None while it is being written."""
        try:
            return Held(**json.loads((self._folder / str(number)).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
