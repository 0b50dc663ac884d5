"""Writes a command as it must be typed here, where `calm` may not be on the PATH."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def typed(*words: object) -> str:
    """Returns a line for a shell that runs `calm` with these words, from the current folder."""
    return shlex.join([*_program(), *map(str, words)])


def _program() -> list[str]:
    """Returns `calm` where that is this one, else its path, else this Python with -m."""
    own = Path(sys.executable).parent / "calm"
    if not own.exists():
        return [sys.executable, "-m", "calm"]
    on_path = shutil.which("calm")
    if on_path is not None and os.path.samefile(on_path, own):
        return ["calm"]
    return [str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)]
