"""Pushes a set, a store or an agent to the Hugging Face hub, and pulls one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agents.inspection.agent import PRETRAINED, pretrained_agents
from agents.sharing.agent_package import check_agent, write_agent_package
from agents.training.run.folder import Run
from calm.errors import UsageError
from calm.files import write_folder
from calm.hub import transfer
from calm.hub.package import FILE, Package, read_description
from calm.hub.progress import Progress
from data.sharing.packages import (
    check_set,
    check_store,
    write_set_package,
    write_store_package,
)

Notify = Callable[[str], None]
_CHECKS: Mapping[str, Callable[[Path], None]] = {
    "agent": check_agent,
    "set": check_set,
    "store": check_store,
}
_SQLITE = b"SQLite format 3\0"


def kind_of(source: str) -> str:
    """Returns `agent` for a run's folder, `store` for an SQLite file, else `set`."""
    path = Path(source)
    if (path / "config.yaml").is_file():
        return "agent"
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                return "store"
    return "set"


def push_source(
    source: str,
    repository: str,
    *,
    public: bool = False,
    licence: str = "",
    half: bool = False,
    message: str = "",
    tell: Notify = lambda line: None,
) -> dict[str, Any]:
    """Makes a package of a source and pushes it.

    Args:
        source: a run's folder, a store's file, or the name, folder or parquet file of a set.
        repository: OWNER/NAME; made if there is none.
        public: whether everyone may read it.
        licence: the hub's id of it.
        half: store an agent's weights with 16 bits.
        tell: called with lines on what is pushed, and on what answers tell of those who asked.

    Returns:
        `kind`, `name`, `files`, `bytes`, `commit`.

    Raises:
        UsageError, CalmError: as the packages and `calm.hub.transfer.push`.
    """
    kind = kind_of(source)
    if half and kind != "agent":
        raise UsageError(f"--half is of an agent's weights, and {source} is a {kind}")
    with tempfile.TemporaryDirectory(prefix="calm-hub-") as scratch:
        folder = Path(scratch) / "package"
        if kind == "agent":
            package = write_agent_package(Run.open(Path(source)), folder, "", licence, half=half)
        elif kind == "store":
            package = write_store_package(Path(source), folder, licence)
            for line in _what_is_told(package):
                tell(line)
        else:
            package = write_set_package(source, folder, licence)
        commit = transfer.push(folder, repository, public=public, message=message, tell=tell)
    return {
        "kind": kind,
        "name": package.name,
        "files": [file.name for file in package.files],
        "bytes": package.size,
        "commit": commit,
    }


def _what_is_told(package: Package) -> list[str]:
    """Returns lines on what a store's answers tell whoever reads them."""
    about = package.about
    return [
        f"it holds {about['answers']:,} answers with the {about['texts']:,} texts that were asked"
        f" about, in full, and every raw reply; models: {', '.join(about['models'])}; tasks:"
        f" {', '.join(about['tasks'])}",
        f"and the addresses that were asked: {', '.join(about['endpoints'])}",
    ]


def pull_package(
    repository: str,
    out: Path | None = None,
    *,
    kind: str = "",
    tell: Notify = lambda line: None,
    progress: Progress = lambda what, done, total: None,
) -> tuple[Package, Path]:
    """Fetches a package, checks that it is what it says, and puts it in its place.

    Args:
        repository: OWNER/NAME on the hub, or the name of a packaged agent, which is copied.
        out: a new folder; by default `runs/NAME` for an agent named so, else NAME.
        kind: that is expected; "" for any.

    Returns:
        Its description and its folder.

    Raises:
        UsageError, CalmError: as `calm.hub.transfer.pull`.
    """
    if repository in pretrained_agents():
        return _copied(repository, out or Path("runs") / repository, kind)
    folder = out or Path(repository.rpartition("/")[2])
    package = transfer.pull(
        repository,
        folder,
        kind=kind,
        check=lambda package, partial: _CHECKS[package.kind.name](partial),
        tell=tell,
        progress=progress,
    )
    return package, folder


def _copied(name: str, out: Path, kind: str) -> tuple[Package, Path]:
    """Copies a packaged agent to a new folder."""
    if kind not in ("", "agent"):
        raise UsageError(f"{name} is of kind agent, not {kind}")
    if out.exists():
        raise UsageError(f"{out} is there already; name a new folder with --out")
    home = PRETRAINED / name
    write_folder(out, lambda partial: shutil.copytree(home, partial, dirs_exist_ok=True))
    return read_description((out / FILE).read_text("utf-8"), name), out
