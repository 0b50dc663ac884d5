"""A labelled set: a folder of parquet parts with a card, and a manifest of what must be there.

    keyroom-v1/
      README.md       the card: who played, how many, licence, known faults
      manifest.json   file hashes, content hashes, counts, seeds, versions
      balanced.parquet, natural.parquet   its parts

A set's name ends in its version and its content never changes in place.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calm.errors import UsageError, unknown
from calm.files import sha256_of, write_file
from calm.records import LabelledTransition, Task, content_hash
from data.parquet import Transitions, read_transitions, write_transitions
from data.parquet_file import MAX_ROWS
from data.schema import SCHEMA_VERSION
from data.stored import open_part, outlines

SHIPPED = Path(__file__).parent / "sets"
MANIFEST = "manifest.json"
CARD = "README.md"
NATURAL = "natural"
"""The part whose classes come as often as they do in play; it gives the natural rate."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A set; its parts are in memory, or read as they are needed."""

    name: str
    parts: dict[str, Transitions]

    def part(self, name: str = "") -> Transitions:
        """Returns the part of that name, by default the first.

        Raises:
            UsageError: no such part, or there is nothing in it.
        """
        if name and name not in self.parts:
            raise unknown("part", name, self.parts)
        part = self.parts[name or next(iter(self.parts))]
        if not part.rows:
            raise UsageError(f"{self.name} holds no transitions")
        return part

    def version(self, part: str = "") -> str:
        """Names a part and its content, as labels carry it: `keyroom-v1/balanced@731a2c82ce42`."""
        name = part or next(iter(self.parts))
        content = content_hash([_content(row) for row in self.part(name).rows])
        return f"{'/'.join(filter(None, (self.name, name)))}@{content[:12]}"

    def natural_rate(self, tasks: Mapping[str, Task]) -> float | None:
        """Returns the share of the natural part that achieves a subgoal of `tasks`.

        None without that part, or where a row's truth about one of them is not known.
        """
        if NATURAL not in self.parts:
            return None
        names = {id: [s.name for s in task.subgoals] for id, task in tasks.items()}
        count = hits = 0
        for row in outlines(self.parts[NATURAL].rows):
            if row.task in names:
                if any(n not in row.truth for n in names[row.task]):
                    return None
                count += 1
                hits += any(row.truth[n] for n in names[row.task])
        return hits / count if count else None


def shipped() -> list[str]:
    """Returns the names of the sets that come with the project, sorted."""
    return sorted(p.parent.name for p in SHIPPED.glob(f"*/{MANIFEST}"))


def load(spec: str | Path, in_memory: int = MAX_ROWS) -> Dataset:
    """Returns a set by its name, its folder, or a single parquet file of transitions.

    Args:
        in_memory: rows of a part up to which it is read into memory; those of a larger one are
            read as they are needed.

    Raises:
        UsageError: no such set, or a file that cannot be read; names the sets there are.
    """
    name, files = locate(spec)
    return Dataset(name, {part: open_part(path, in_memory) for part, path in files.items()})


def locate(spec: str | Path) -> tuple[str, dict[str, Path]]:
    """Returns the name of a set and the files of its parts, as `load` reads them.

    Raises:
        UsageError: no such set; names those there are.
    """
    path = Path(spec)
    if path.is_file():
        return path.stem, {"": path}
    if not (path / MANIFEST).is_file():
        path = SHIPPED / str(spec)
        if str(spec) not in shipped():
            raise unknown("data set, folder or file", str(spec), shipped())
    manifest = read_manifest(path)
    parts = {name: path / part["file"] for name, part in manifest["parts"].items()}
    return manifest["name"], parts


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a set's folder.

    Raises:
        UsageError: it does not name its parts, or names a file that is not beside it.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
        files = [part["file"] for part in manifest["parts"].values()]
        ok = files and all(n.isprintable() for n in (manifest["name"], *manifest["parts"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path}: not a manifest of a data set: {error!r}") from error
    if not ok or any(Path(f).name != f for f in files):
        raise UsageError(f"{path}: needs a name in print, and parts whose files lie beside it")
    return dict(manifest)


def write_part(
    folder: Path, name: str, rows: Sequence[LabelledTransition], tasks: Mapping[str, Task]
) -> dict[str, Any]:
    """Writes `NAME.parquet` and returns its entry for the manifest."""
    path = folder / f"{name}.parquet"
    write_transitions(path, rows, tasks)
    return {"file": path.name, "sha256": sha256_of(path)} | describe(read_transitions(path))


def describe(part: Transitions) -> dict[str, Any]:
    """Returns what a part holds, as its manifest says it: counts, classes, the content's hash.

    The content hash does not depend on the writer's version, as the file's does.
    """
    kinds: Counter[str] = Counter()
    for row in part.rows:
        kinds[row.kind([s.name for s in part.tasks[row.transition.task].subgoals])] += 1
    seeds = [int(s) for r in part.rows if (s := r.provenance.get("level_seed")) is not None]
    return {
        "content": content_hash([_content(row) for row in part.rows]),
        "rows": len(part.rows),
        "episodes": len({r.cluster for r in part.rows}),
        "tasks": dict(sorted(Counter(r.transition.task for r in part.rows).items())),
        "players": dict(
            sorted(Counter(str(r.provenance.get("player")) for r in part.rows).items())
        ),
        "classes": dict(kinds.most_common()),
        "level_seeds": [min(seeds), max(seeds)] if seeds else None,
    }


def _content(row: LabelledTransition) -> list[object]:
    t = row.transition
    frames = [None if f is None else [f.chars, f.colours] for f in (row.before, row.after)]
    provenance = sorted((k, str(v)) for k, v in row.provenance.items())
    return [t.id, t.episode, t.step, sorted(row.truth.items()), provenance, frames]


def write_manifest(
    folder: Path, name: str, parts: Mapping[str, Mapping[str, Any]], about: Mapping[str, Any]
) -> None:
    """Writes the manifest; `about` holds what only the builder knows (seeds, versions, licence)."""
    manifest = {"name": name, "schema": SCHEMA_VERSION, **about, "parts": parts}
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    write_file(folder / MANIFEST, text + "\n")
