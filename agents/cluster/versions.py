"""What must be the same on all machines that train one study, and how two of them differ."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agents.training.run.folder import commit

ROOT = Path(__file__).parents[2]
"""The checkout that this file is of."""
PACKAGES = ("torch", "numpy", "stable-baselines3", "sb3-contrib", "gymnasium", "nle", "minihack")
"""Packages whose version a result depends on."""
SOURCES = frozenset({".py", ".c", ".h", ".yaml", ".j2", ".des"})
"""Endings of the files that are the code."""
LAYERS = ("calm", "envs", "data", "agents")


@cache
def code_digest(root: Path = ROOT) -> str:
    """Returns twelve digits that name the code of a checkout, committed or not."""
    digest = hashlib.sha256()
    for layer in LAYERS:
        for path in sorted((root / layer).rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                digest.update(str(path.relative_to(root)).encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def versions() -> dict[str, str]:
    """Returns by name what a result depends on beside its settings and the machine."""
    found = {"python": platform.python_version(), "code": f"{code_digest()} (commit {commit()})"}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Returns what differs between two machines, in words; "" where nothing does.

    Code is the same where its digest is, whatever the commit.
    """
    return ", ".join(
        f"{name} {there.get(name, 'unknown')} and not {value}"
        for name, value in here.items()
        if there.get(name, "").partition(" ")[0] != value.partition(" ")[0]
    )


def host() -> str:
    """Returns the name of this machine, for messages."""
    return os.uname().nodename
