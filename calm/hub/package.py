"""Describes what is shared on the hub: a kind, and its files by name, size and SHA-256.

    calm.json     {"calm": version, "schema": 1, "kind": "agent", "name": ..., "about": {...},
                   "files": {"config.yaml": {"size": 644, "sha256": "..."}, ...}}
    README.md     the card, which people may change on the hub's page; no part of the description

Only plain files of the names that a kind has are ever fetched, and none of them is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from calm.errors import UsageError, unknown
from calm.files import sha256_of, write_file
from calm.hub.client import RepoType
from calm.version import VERSION

FILE = "calm.json"
CARD = "README.md"
SCHEMA = 1
"""Goes up when a reader of the old packages would misread the new ones."""
MAX_FILES = 64
MAX_NAME = 200
"""Bytes of a file's name."""
MAX_BYTES = 16 << 30
"""Of all files of a package together."""
MAX_DESCRIPTION = 1 << 20
"""Bytes of a description or of a card."""


@dataclass(frozen=True)
class Kind:
    """What a package can be."""

    name: str
    repo_type: RepoType
    required: tuple[str, ...]
    """Names of files that it always has."""
    optional: tuple[str, ...]
    """Patterns of the names that others may have."""

    def takes(self, name: str) -> bool:
        """Returns whether a file of this name belongs to it."""
        return name in self.required or any(fnmatchcase(name, p) for p in self.optional)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "agent",
            "model",
            ("config.yaml", "policy.safetensors", "provenance.json"),
            ("judged.json", "subgoals.json", "metrics.parquet"),
        ),
        Kind("set", "dataset", ("manifest.json",), ("*.parquet",)),
        Kind("store", "dataset", ("manifest.json", "answers.parquet"), ()),
    )
}


@dataclass(frozen=True)
class PackageFile:
    """One file of a package."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    """64 hex digits."""


@dataclass(frozen=True)
class Package:
    """What a description says."""

    kind: Kind
    name: str
    files: tuple[PackageFile, ...]
    about: Mapping[str, Any]
    """Plain values, as the pusher told them."""

    @property
    def size(self) -> int:
        """Returns the bytes of all files."""
        return sum(file.size for file in self.files)


def describe_folder(folder: Path, kind: str, name: str, about: Mapping[str, Any]) -> Package:
    """Writes the description of a folder's files into it, and returns it.

    Args:
        folder: whose files of the kind's names are taken.
        kind: of `KINDS`.
        name: of what is shared, in print.
        about: plain values for whoever looks at it.

    Raises:
        UsageError: a file that the kind always has is missing, or there are too many.
    """
    described = KINDS[kind]
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and described.takes(p.name))
    if missing := [name for name in described.required if name not in names]:
        raise UsageError(f"{folder} is no {kind}: {', '.join(missing)} is missing")
    if len(names) > MAX_FILES:
        raise UsageError(f"{folder} has {len(names)} files; a package has at most {MAX_FILES}")
    files = {
        n: {"size": (folder / n).stat().st_size, "sha256": sha256_of(folder / n)} for n in names
    }
    text = json.dumps(
        {
            "calm": VERSION,
            "schema": SCHEMA,
            "kind": kind,
            "name": name,
            "about": about,
            "files": files,
        },
        indent=2,
        ensure_ascii=False,
    )
    write_file(folder / FILE, text + "\n")
    return read_description(text, str(folder))


def read_description(text: str, source: str) -> Package:
    """Returns what a description says, once all of it is checked.

    Args:
        source: where it comes from, for messages.

    Raises:
        UsageError: it is none, is of a newer version, or names a file that its kind has not.
    """
    try:
        value = json.loads(text)
        schema, kind_name = value["schema"], value["kind"]
        newer = not isinstance(schema, int) or schema > SCHEMA
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"{source}: its {FILE} describes no package: {error!r}") from None
    if newer:
        raise UsageError(
            f"{source} was pushed by a newer calm ({value.get('calm')!s:.20}): its schema is"
            f" {schema!s:.20}, this one reads {SCHEMA}. Update calm"
        )
    if not isinstance(kind_name, str) or kind_name not in KINDS:
        raise UsageError(f"{source}: {unknown('kind of package', str(kind_name)[:40], KINDS)}")
    kind = KINDS[kind_name]
    try:
        name, about = str(value["name"]), dict(value["about"])
        files = tuple(
            PackageFile(str(name), _size(one["size"]), _digest(one["sha256"]))
            for name, one in value["files"].items()
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{source}: its {FILE} can't be read: {error!r}") from None
    names = {file.name for file in files}
    for file in files:
        if not kind.takes(file.name) or not _is_plain(file.name):
            raise UsageError(
                f"{source}: {file.name[:80]!r} is no file of a package of kind {kind.name}"
            )
    if missing := [one for one in kind.required if one not in names]:
        raise UsageError(f"{source}: {', '.join(missing)} is missing in a package of {kind.name}")
    total = sum(file.size for file in files)
    if len(files) > MAX_FILES or total > MAX_BYTES or not name.isprintable():
        raise UsageError(
            f"{source}: {len(files)} files of {total:,} bytes named {name[:40]!r}; at most"
            f" {MAX_FILES} of {MAX_BYTES:,} bytes are taken, with a name in print"
        )
    return Package(kind, name, files, about)


def _is_plain(name: str) -> bool:
    """Returns whether a file of this name lies in its folder, is not hidden, and can be printed."""
    return (
        name.isprintable()  # surrogates and NUL are not
        and Path(name).name == name
        and name[0] != "."
        and len(name.encode()) <= MAX_NAME
    )


def _size(value: object) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"a size of {value!r}")
    return value


def _digest(value: object) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError(f"a sha256 of {str(value)[:80]!r}")
    return value
