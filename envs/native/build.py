"""Compiles the native stepper where that is possible: a shared library and the workers' program."""

from __future__ import annotations

import logging
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from calm.native_build import build, failure, why_not

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
HEADERS = ("calm.h", "sight.h")
_GAME = ("library.c", "heap.c", "hooks.c", "overview.c", "game.c", "goal.c", "sight.c")
PRODUCTS = {
    "stepper.so": (*_GAME, "turns.c", "events.c"),
    "worker": (*_GAME, "worker.c"),
}
FLAGS = ("-std=gnu11", "-O2")


@dataclass(frozen=True, slots=True)
class Built:
    """The compiled stepper: where its two files lie."""

    folder: Path
    """Of the cache that holds them."""

    @property
    def library(self) -> Path:
        """The shared library for this process."""
        return self.folder / "stepper.so"

    @property
    def worker(self) -> Path:
        """The program of a worker process."""
        return self.folder / "worker"


@cache
def built() -> Built | None:
    """Compiles the stepper once and returns it; None, with one line in the log, where it can't."""
    reason = why_not()
    if reason is None:
        try:
            return Built(
                build("native", HERE, PRODUCTS, flags=FLAGS, headers=HEADERS, libraries=("-ldl",))
            )
        except (OSError, subprocess.SubprocessError) as error:
            reason = f"it does not compile: {failure(error)}"
    log.warning("environments take the plain path, which is slower: %s", reason)
    return None
