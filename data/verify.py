"""Verifies labelled sets against their manifests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from calm.errors import CalmError
from calm.files import sha256_of
from data.dataset import CARD, SHIPPED, describe, read_manifest, shipped
from data.parquet import read_transitions


def faults(folder: Path) -> Iterator[str]:
    """Yields a line for all in a set that is not as its manifest says or as a set must be."""
    manifest = read_manifest(folder)
    if not (folder / CARD).is_file():
        yield f"{folder}: no card ({CARD})"
    if manifest["name"] != folder.resolve().name:
        yield f"{folder}: its manifest calls it {manifest['name']!r}"
    first_seen: dict[str, str] = {}
    for name, entry in manifest["parts"].items():
        path = folder / entry["file"]
        part = read_transitions(path)
        if sha256_of(path) != entry["sha256"]:
            yield f"{path}: sha256 is not the manifest's"
        for key, value in describe(part).items():
            if entry.get(key) != value:
                yield f"{path}: {key} is {value}, the manifest says {entry.get(key)}"
        for i, row in enumerate(part.rows):
            where = f"{path}: row {i}"
            if row.transition.id in first_seen:
                yield f"{where}: same content as {first_seen[row.transition.id]}"
            first_seen[row.transition.id] = where
            seed = row.provenance.get("level_seed")
            if seed is None or _forbidden(manifest, int(seed)):
                yield f"{where}: level seed {seed} is not one that data may use"
        if name == "balanced":
            counts = list(entry["classes"].values())
            if max(counts) - min(counts) > 1:
                yield f"{path}: classes are not even: {entry['classes']}"


def _forbidden(manifest: dict[str, object], seed: int) -> bool:
    """Returns whether a level seed lies outside the range kept for data."""
    allowed = manifest.get("data_levels")
    return isinstance(allowed, list) and not allowed[0] <= seed < allowed[1]


def verify(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yields each set named, or every packaged one, with a line for each of its faults."""
    for name in names or shipped():
        folder = Path(name) if Path(name).is_dir() else SHIPPED / name
        try:
            yield name, list(faults(folder))
        except CalmError as error:
            yield name, [str(error)]
