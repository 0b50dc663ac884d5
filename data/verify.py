"""Verifies data sets against their manifests: `python -m data.verify [NAME or FOLDER ...]`.

Exits 0 if all is as the manifests say, 1 with a line for each fault otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from calm.errors import CalmError
from data.dataset import CARD, SHIPPED, describe, file_hash, read_manifest, shipped
from data.parquet import read_transitions


def faults(folder: Path) -> Iterator[str]:
    """A line for everything in a set that is not as its manifest says or as a set must be."""
    manifest = read_manifest(folder)
    if not (folder / CARD).is_file():
        yield f"{folder}: no card ({CARD})"
    if manifest["name"] != folder.resolve().name:
        yield f"{folder}: its manifest calls it {manifest['name']!r}"
    seen: dict[str, str] = {}
    for name, said in manifest["parts"].items():
        path = folder / said["file"]
        part = read_transitions(path)
        if file_hash(path) != said["sha256"]:
            yield f"{path}: sha256 is not the manifest's"
        for key, found in describe(part).items():
            if said.get(key) != found:
                yield f"{path}: {key} is {found}, the manifest says {said.get(key)}"
        for i, row in enumerate(part.rows):
            where = f"{path}: row {i}"
            if row.transition.id in seen:
                yield f"{where}: same content as {seen[row.transition.id]}"
            seen[row.transition.id] = where
            seed = row.provenance.get("level_seed")
            if seed is None or _forbidden(manifest, int(seed)):
                yield f"{where}: level seed {seed} is not one that data may use"
        if name == "balanced":
            counts = list(said["classes"].values())
            if max(counts) - min(counts) > 1:
                yield f"{path}: classes are not even: {said['classes']}"


def _forbidden(manifest: dict[str, object], seed: int) -> bool:
    """Whether a level seed lies outside the range kept for data."""
    allowed = manifest.get("data_levels")
    return isinstance(allowed, list) and not allowed[0] <= seed < allowed[1]


def main(names: list[str]) -> int:
    """Checks the sets named, or all shipped ones; returns the exit code."""
    found = 0
    for name in names or shipped():
        folder = Path(name) if Path(name).is_dir() else SHIPPED / name
        try:
            lines = list(faults(folder))
        except CalmError as error:
            lines = [str(error)]
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.write(f"{name}: {'FAULTY' if lines else 'verified'}\n")
        found += len(lines)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
