"""Compiles the native stepper with the machine's C compiler, once, into a cache folder."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SOURCES = ("calm.h", "library.c", "game.c", "turns.c", "worker.c", "sight.c")
FLAGS = ("-std=gnu11", "-O2")
PRODUCTS = {
    "stepper.so": ("library.c", "game.c", "turns.c", "sight.c"),
    "worker": ("library.c", "game.c", "worker.c"),
}


@dataclass(frozen=True, slots=True)
class Built:
    """Where the products lie."""

    folder: Path

    @property
    def library(self) -> Path:
        """Shared library for this process."""
        return self.folder / "stepper.so"

    @property
    def worker(self) -> Path:
        """Program of a worker process."""
        return self.folder / "worker"


def cache_folder() -> Path:
    """Where compiled files are kept: `$XDG_CACHE_HOME/calm` or `~/.cache/calm`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "calm"


@cache
def built() -> Built | None:
    """The compiled stepper; None, with one line in the log, where it can't be had."""
    why = _unfit()
    if why is None:
        try:
            return _build()
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or error
            why = f"it does not compile: {said}"
    log.warning("environments take the plain path, which is slower: %s", why)
    return None


def _unfit() -> str | None:
    if os.environ.get("CALM_NATIVE") == "0":
        return "CALM_NATIVE=0 asks for it"
    if sys.platform != "linux":
        return f"the native stepper is for Linux, this is {sys.platform}"
    if _compiler() is None:
        return "there is no C compiler (cc)"
    return None


def _compiler() -> list[str] | None:
    command = shlex.split(os.environ.get("CC", "cc")) or ["cc"]
    return command if shutil.which(command[0]) else None


def _build() -> Built:
    compiler = _compiler() or ["cc"]
    content = hashlib.sha256(" ".join((*compiler, *FLAGS, platform.machine())).encode())
    for name in SOURCES:
        content.update((HERE / name).read_bytes())
    folder = cache_folder() / f"native-{content.hexdigest()[:16]}"
    if all((folder / product).exists() for product in PRODUCTS):
        return Built(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Compiled aside and moved into place, so that two processes may do this at once.
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        for product, sources in PRODUCTS.items():
            shared = ["-shared", "-fPIC"] if product.endswith(".so") else []
            files = [str(HERE / source) for source in sources]
            target = str(Path(aside) / product)
            subprocess.run(
                [*compiler, *FLAGS, *shared, "-o", target, *files, "-ldl"],
                check=True, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
        folder.mkdir(exist_ok=True)
        for product in PRODUCTS:
            os.replace(Path(aside) / product, folder / product)
    return Built(folder)
