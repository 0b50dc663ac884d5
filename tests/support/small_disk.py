"""A file system of its own, so small that it is soon full; it takes rights that not all have."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def allow_reading_only(folder: Path) -> None:
    """Makes a mounted file system one that root can't write either."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mounts an empty file system in memory; skips the test where that is not allowed."""
    folder.mkdir(exist_ok=True)
    mount = [shutil.which("mount") or "/bin/false", "-t", "tmpfs", "-o", options, "tmpfs"]
    if subprocess.run([*mount, str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
