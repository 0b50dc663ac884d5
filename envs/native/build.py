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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SOURCES = (
    "calm.h", "sight.h", "library.c", "game.c", "sight.c", "turns.c", "events.c", "worker.c",
)  # fmt: skip
FLAGS = ("-std=gnu11", "-O2")
PRODUCTS = {
    "stepper.so": ("library.c", "game.c", "sight.c", "turns.c", "events.c"),
    "worker": ("library.c", "game.c", "sight.c", "worker.c"),
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
    why = unfit()
    if why is None:
        try:
            return _build()
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or error
            why = f"it does not compile: {said}"
    log.warning("environments take the plain path, which is slower: %s", why)
    return None


def unfit() -> str | None:
    """Why nothing is compiled here, or None."""
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
    machine = " ".join((platform.machine(), *platform.libc_ver()))
    return Built(compiled("native", HERE, SOURCES, PRODUCTS, FLAGS, machine=machine))


def compiled(
    name: str,
    here: Path,
    sources: Sequence[str],
    products: Mapping[str, Sequence[str]],
    flags: Sequence[str],
    *,
    machine: str,
) -> Path:
    """The folder of products, compiled if the sources, flags or machine have changed.

    Args:
        name: of the folder in the cache.
        here: where the sources lie.
        sources: all files that make a difference.
        products: the files each is compiled from; `.so` for a shared library, else a program.
        flags: of the compiler.
        machine: what the products will run on.

    Raises:
        OSError, subprocess.SubprocessError: they can't be compiled.
    """
    compiler = _compiler() or ["cc"]
    content = hashlib.sha256(" ".join((*compiler, *flags, machine)).encode())
    for source in sources:
        content.update((here / source).read_bytes())
    folder = cache_folder() / f"{name}-{content.hexdigest()[:16]}"
    if all((folder / product).exists() for product in products):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Compiled aside and moved into place, so that two processes may do this at once.
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        for product, parts in products.items():
            shared = ["-shared", "-fPIC"] if product.endswith(".so") else []
            files = [str(here / part) for part in parts]
            target = str(Path(aside) / product)
            subprocess.run(
                [*compiler, *flags, *shared, "-o", target, *files, "-ldl"],
                check=True, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
        folder.mkdir(exist_ok=True)
        for product in products:
            os.replace(Path(aside) / product, folder / product)
    return folder
