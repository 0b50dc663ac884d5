"""Pushes and pulls packages: checked by name, size and SHA-256, resumed, whole or not at all.

What comes lies in `.NAME.pull` beside its place, which stays when a pull is interrupted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from calm.errors import CalmError, UsageError, unknown
from calm.files import sha256_of
from calm.hub import client
from calm.hub.alone import alone
from calm.hub.package import (
    CARD,
    FILE,
    KINDS,
    MAX_DESCRIPTION,
    Package,
    PackageFile,
    read_description,
)
from calm.hub.progress import Progress

Notify = Callable[[str], None]
_SPARE = 50e6  # bytes that stay free on the disk


def push(
    folder: Path,
    repository: str,
    *,
    public: bool = False,
    message: str = "",
    tell: Notify = lambda line: None,
) -> str:
    """Pushes a package with its card, and whatever else lies in its folder for the hub's page.

    Args:
        folder: that `calm.hub.package.describe_folder` has described.
        repository: OWNER/NAME; made if there is none.
        public: whether everyone may read it.
        tell: called with a line on what is pushed.

    Returns:
        The commit's address.

    Raises:
        UsageError, CalmError: as `calm.hub.client.commit`, or the folder is no package.
    """
    _check_name(repository)
    package = read_description((folder / FILE).read_text("utf-8"), str(folder))
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    size = sum((folder / name).stat().st_size for name in names)
    tell(
        f"{package.name}: {len(names)} files, {size / 1e6:,.1f} MB to the"
        f" {'public' if public else 'private'} {package.kind.repo_type} {repository}"
    )
    return client.commit(
        repository,
        package.kind.repo_type,
        folder,
        names,
        message or f"{package.kind.name} {package.name}",
        public=public,
    )


def pull(
    repository: str,
    out: Path,
    *,
    kind: str = "",
    check: Callable[[Package, Path], None] = lambda package, folder: None,
    tell: Notify = lambda line: None,
    progress: Progress = lambda what, done, total: None,
) -> Package:
    """Fetches a package into a new folder, and returns its description.

    Args:
        repository: OWNER/NAME.
        out: the folder; it appears once all files are there and checked.
        kind: that is expected; "" for any.
        check: called with the description and the folder before it is put in place; raises a
            UsageError where the files are not what they claim.
        tell: called with a line on what comes.

    Raises:
        UsageError: no such package, of another kind, from a newer version, or not what its
            description says; the folder is there already.
        CalmError: the hub can't be reached, or the disk is full; the same command resumes.
    """
    _check_name(repository)
    _refuse_taken(out)
    partial = out.parent / f".{out.name}.pull"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with alone(partial, tell):
            _refuse_taken(out)  # by now, if another process has pulled it meanwhile
            package, commit = _describe(repository, kind, partial)
            tell(
                f"{repository}: {package.kind.name} {package.name}, {len(package.files)} files,"
                f" {package.size / 1e6:,.1f} MB"
            )
            _check_room(partial, package.size)
            for file in package.files:
                _fetch(repository, package, file, commit, partial, progress)
            _fetch_card(repository, package, commit, partial)
            wanted = {FILE, CARD, *(file.name for file in package.files)}
            for left_over in partial.iterdir():
                if left_over.name not in wanted:
                    left_over.unlink()  # of another version
            check(package, partial)
            os.replace(partial, out)
    except OSError as error:
        raise CalmError(
            f"can't write {out}: {error.strerror or error}. What has come is kept in {partial};"
            " make room, or name another folder with --out, and run the same command again"
        ) from None
    finally:
        if not partial.exists():
            with suppress(OSError):
                (out.parent / f"{partial.name}.lock").unlink()
    return package


def _refuse_taken(out: Path) -> None:
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} is there already; name a new folder with --out")


def _check_name(repository: str) -> None:
    owner, sign, name = repository.partition("/")
    if not (owner and sign and name) or "/" in name:
        raise UsageError(f"the hub's names are OWNER/NAME, not {repository!r}")


def _describe(repository: str, kind: str, partial: Path) -> tuple[Package, str]:
    """Returns the description of a repository, and the commit that it is of.

    Raises:
        UsageError: there is none, or of another kind.
    """
    if kind and kind not in KINDS:
        raise unknown("kind of package", kind, KINDS)
    candidates: dict[client.RepoType, client.HubFile] = {}
    for repo_type in dict.fromkeys(one.repo_type for one in KINDS.values()):
        if kind and KINDS[kind].repo_type != repo_type:
            continue
        try:
            candidates[repo_type] = client.describe(repository, FILE, repo_type)
        except client.NotOnHub:
            continue
    if not candidates:
        raise client.NotOnHub(
            f"the hub has no package of calm {repository}"
            + (f" of kind {kind}" if kind else "")
            + f" (with a {FILE}, as `calm hub push` writes it), or not for you; a private one"
            " needs HF_TOKEN"
        )
    if len(candidates) > 1:
        raise UsageError(f"{repository} is a model and a dataset; say which with --kind")
    ((_, file),) = candidates.items()
    text = _small(file, partial / FILE, repository)
    package = read_description(text, repository)
    if kind and package.kind.name != kind:
        raise UsageError(f"{repository} is of kind {package.kind.name}, not {kind}")
    return package, file.commit


def _small(file: client.HubFile, path: Path, repository: str) -> str:
    """Fetches a small text anew, and returns it.

    Raises:
        UsageError: it is too large, or no text.
    """
    if file.size > MAX_DESCRIPTION:
        raise UsageError(f"{repository}: {path.name} has {file.size:,} bytes, which is no text")
    path.unlink(missing_ok=True)
    client.fetch(file, path, lambda what, done, total: None)
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{repository}: {path.name} is no text") from None


def _fetch(
    repository: str,
    package: Package,
    file: PackageFile,
    commit: str,
    partial: Path,
    progress: Progress,
) -> None:
    """Fetches one file and checks it; what is there already is not fetched again.

    Raises:
        UsageError: it has another size or another content than the description says.
    """
    path = partial / file.name
    if path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256:
        return
    remote = client.describe(repository, file.name, package.kind.repo_type, commit or None)
    if remote.size != file.size:
        raise UsageError(
            f"{repository}: {file.name} has {remote.size:,} bytes, its description says"
            f" {file.size:,}; push it anew"
        )
    part = partial / f"{file.sha256}.part"  # another version begins anew
    client.fetch(remote, part, lambda what, done, total: progress(file.name, done, total))
    if sha256_of(part) != file.sha256:
        part.unlink()
        raise UsageError(
            f"{repository}: {file.name} has another sha256 than its description says. It was"
            " dropped; pull it again, and if that repeats it was changed since it was pushed"
        )
    part.replace(path)


def _fetch_card(repository: str, package: Package, commit: str, partial: Path) -> None:
    """Fetches the card, if there is one."""
    try:
        file = client.describe(repository, CARD, package.kind.repo_type, commit or None)
    except client.NotOnHub:
        return
    _small(file, partial / CARD, repository)


def _check_room(partial: Path, need: int) -> None:
    """Raises a CalmError where the files will not fit on the disk."""
    have = sum(f.stat().st_size for f in partial.iterdir() if f.is_file())
    free = shutil.disk_usage(partial).free
    if free + have < need + _SPARE:
        raise CalmError(
            f"the disk is too full: {need / 1e6:,.0f} MB are needed in {partial.parent}, and"
            f" {free / 1e6:,.0f} MB are free. Make room, or name another folder with --out"
        )
