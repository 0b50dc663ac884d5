"""Compiles C sources with the machine's own compiler, once, into a cache folder.

Whoever wants compiled code asks `why_not` first, and does without where there is a reason:

    if why_not() is None:
        folder = build("scan", Path(__file__).parent, {"scan.so": ("scan.c",)}, flags=("-O3",))
        kernels = ctypes.CDLL(str(folder / "scan.so"))
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_SECONDS = 120
"""A call of the compiler that takes longer has failed."""


def cache_folder() -> Path:
    """Returns the folder of compiled files: `$XDG_CACHE_HOME/calm` or `~/.cache/calm`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "calm"


def why_not() -> str | None:
    """Returns why nothing can or shall be compiled here; None where all is well."""
    if os.environ.get("CALM_NATIVE") == "0":
        return "CALM_NATIVE=0 asks for it"
    if sys.platform != "linux":
        return f"compiled code is for Linux, this is {sys.platform}"
    compiler = _compiler()[0]
    return None if shutil.which(compiler) else f"there is no C compiler ({compiler})"


def build(
    name: str,
    here: Path,
    products: Mapping[str, Sequence[str]],
    *,
    flags: Sequence[str],
    headers: Sequence[str] = (),
    libraries: Sequence[str] = (),
    machine: str = "",
) -> Path:
    """Returns the folder with the products, compiled if sources, flags or machine have changed.

    Two processes may do this at once.

    Args:
        name: what the folder's name in the cache begins with.
        here: the folder of the sources.
        products: by file name, the sources that each is made of; `.so` for a shared library, else a
            program.
        flags: of the compiler; they don't reach the linker, so `-fopenmp` links no library.
        headers: further files that make a difference.
        libraries: what is linked, as `-lm`.
        machine: what the products run on: `platform_name()` or, with `-march=native`,
            `processor_name()`.

    Raises:
        OSError, subprocess.SubprocessError: they can't be compiled.
    """
    compiler = _compiler()
    machine = machine or platform_name()
    content = hashlib.sha256(" ".join((*compiler, *flags, *libraries, machine)).encode())
    for source in sorted({*headers, *(file for files in products.values() for file in files)}):
        content.update((here / source).read_bytes())
    folder = cache_folder() / f"{name}-{content.hexdigest()[:16]}"
    if all((folder / product).exists() for product in products):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for product, sources in products.items():
            shared = product.endswith(".so")
            objects = []
            for source in sources:
                objects.append(str(Path(scratch) / f"{product}-{source}.o"))
                how = [*flags, *(["-fPIC"] if shared else [])]
                _call([*compiler, *how, "-c", "-o", objects[-1], str(here / source)])
            target = str(Path(scratch) / product)
            how = ["-shared"] if shared else []
            _call([*compiler, *how, "-o", target, *objects, *libraries])
        folder.mkdir(exist_ok=True)
        for product in products:
            os.replace(Path(scratch) / product, folder / product)
    return folder


def failure(error: Exception) -> str:
    """Returns what the compiler or the system said of a failed `build`."""
    return str(getattr(error, "stderr", None) or error)


def platform_name() -> str:
    """Returns architecture and C library: code without `-march=native` runs where they are so."""
    return " ".join((platform.machine(), *platform.libc_ver()))


def processor_name() -> str:
    """Returns what code for this very processor depends on; a home folder may serve several."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.platform() + platform.processor()
    fields = ("model name", "flags", "Features", "CPU part")
    return platform_name() + "".join(sorted({line for line in lines if line.startswith(fields)}))


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CC", "cc")) or ["cc"]


def _call(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
