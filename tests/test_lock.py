"""The lock holds what pyproject.toml asks for, with hashes, and names no address."""

import re
import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
HASHES = r"((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)"
PINNED = re.compile(r"^([\w.-]+)==(\S+)(?: ; .*?)? \\\n" + HASHES, re.M)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_is_locked_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *chain.from_iterable(extras)]
    locked: dict[str, list[Version]] = {}
    for name, version, _ in PINNED.findall(LOCK):
        locked.setdefault(plain(name), []).append(Version(version))
    for requirement in map(Requirement, asked):
        if requirement.name == project["name"]:
            continue
        versions = locked.get(plain(requirement.name), [])
        assert versions, f"requirements.lock lacks {requirement}: run `make lock`"
        assert any(requirement.specifier.contains(v) for v in versions), requirement
    (pinned,) = map(Requirement, re.findall(r"^(torch==.*)$", constraints(), re.M))
    assert all(pinned.specifier.contains(v) for v in locked["torch"])


def constraints() -> str:
    return (ROOT / "constraints.txt").read_text("utf-8")


def test_every_line_is_a_version_with_hashes_and_no_address() -> None:
    lines = [line for line in LOCK.splitlines() if line and not line.startswith(("#", " "))]
    assert len(lines) == len(PINNED.findall(LOCK))
    assert "://" not in LOCK
    assert "--index" not in LOCK
