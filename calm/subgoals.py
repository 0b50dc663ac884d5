"""Checks, writes, reads and finds lists of subgoals.

A list is named by the hash of its content, which is part of every answer's key. It can be written
to a YAML file, edited by hand, and given to any command that takes `--subgoals`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import yaml

from calm.errors import UsageError
from calm.files import write_file
from calm.records import Subgoal, Task, subgoals_hash
from calm.text import clean
from calm.yaml_files import read_yaml

LEAST, MOST = 2, 8
"""Subgoals that a model is asked for."""
MOST_WRITTEN = 32
"""Subgoals in a list that a person writes."""
MOST_TIMES = 100
"""How often a subgoal may be to be done in an episode."""
MOST_CLAUSE = 160
"""Characters of a statement."""
_ARTICLES = ("The", "A", "An")
_COMPOUND = re.compile(r"\b(?:and|or|then|while|after|before)\b|[,;/&+]", re.IGNORECASE)


class SubgoalLists(Protocol):
    """Holds lists of subgoals by their hash, as `calm.store.store.Store` does."""

    def subgoal_sets(self, task: str | None = None) -> Mapping[str, tuple[Subgoal, ...]]:
        """Returns the lists of one task, or of all, by hash."""


def check_subgoals(value: object, *, by_hand: bool = False) -> tuple[Subgoal, ...]:
    """Returns the subgoals in a list of `{name, definition}`: 2 at least, distinct, none compound.

    Args:
        by_hand: whether a person wrote it and not a model: there may be more of them, and each may
            have a list of `statements` too, and `times`, see `Subgoal`.

    Raises:
        UsageError: says which subgoal fails and how.
    """
    most, more = (MOST_WRITTEN, {"statements", "times"}) if by_hand else (MOST, set())
    if not isinstance(value, list) or not LEAST <= len(value) <= most:
        size = len(value) if isinstance(value, list) else "no list"
        raise UsageError(f"a list of {LEAST} to {most} subgoals is needed, got {size}")
    subgoals = []
    for i, item in enumerate(value, 1):
        must = {"name", "definition"}
        if not isinstance(item, dict) or not must <= set(item) <= must | more:
            fields = item if isinstance(item, dict) else {}
            quote = "; text with a comma goes between quotes" if None in fields.values() else ""
            raise UsageError(
                f"subgoal {i} must have a name and a definition, and nothing else"
                f"{' but statements and times' if by_hand else ''}; it has"
                f" {', '.join(map(repr, fields)) or 'none'}{quote}"
            )
        for field in ("name", "definition"):
            content = item[field]
            if not isinstance(content, str) or not content.strip():
                raise UsageError(f"subgoal {i}: its {field} must be text, not {content!r}")
        clauses = _clauses(i, item.get("statements", []))
        subgoal = _one(i, item["name"].strip(), item["definition"].strip(), clauses)
        subgoals.append(replace(subgoal, times=_times(i, item.get("times", 1))))
    names = [re.sub(r"\W+", " ", s.name).casefold().strip() for s in subgoals]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise UsageError(f"subgoals must differ; named twice: {', '.join(twice)}")
    return tuple(subgoals)


def _clauses(i: int, value: object) -> tuple[str, ...]:
    """Returns the statements of subgoal i, each as `clause_of` has it."""
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise UsageError(f"subgoal {i}: statements must be a list of text")
    try:
        return tuple(clause_of(v) for v in value)
    except UsageError as error:
        raise UsageError(f"subgoal {i}: {error}") from None


def _times(i: int, value: object) -> int:
    """Returns how often subgoal i is to be done."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_TIMES:
        raise UsageError(
            f"subgoal {i}: times must be a whole number from 1 to {MOST_TIMES}, got {value!r}"
        )
    return value


def clause_of(text: str) -> str:
    """Returns a statement as it is put after "that": one clause, with no capital or full stop.

    >>> clause_of('"The door is open now."')
    'the door is open now'

    Raises:
        UsageError: it is no single short line.
    """
    clause = text.strip().strip("\"'`").strip().rstrip(".").rstrip()
    if clean(clause) != clause or "\n" in clause or not 0 < len(clause) <= MOST_CLAUSE:
        raise UsageError(f"a statement must be one clause on one short line, got {text[:100]!r}")
    first, _, rest = clause.partition(" ")
    return f"{first.lower()} {rest}" if first in _ARTICLES else clause


def _one(i: int, name: str, definition: str, statements: tuple[str, ...]) -> Subgoal:
    name = name.rstrip(".")
    if clean(name) != name or "\n" in name or len(name) > 80 or len(name.split()) > 12:
        raise UsageError(f"subgoal {i}: the name must be one short line, got {name[:100]!r}")
    if joint := _COMPOUND.search(name):
        raise UsageError(f"subgoal {i} names more than one thing ({joint[0]!r}): {name!r}")
    sentences = [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z])", definition) if s]
    if len(sentences) != 1 or len(definition) > 400:
        raise UsageError(f"subgoal {i}: the definition of {name!r} must be one sentence")
    return Subgoal(name, clean(definition), statements)


def plain_subgoals(subgoals: Sequence[Subgoal]) -> list[dict[str, Any]]:
    """Returns a list of subgoals as plain values, as a file of them and `--json` have it."""
    return [
        {"name": s.name, "definition": s.definition}
        | ({"statements": list(s.statements)} if s.statements else {})
        | ({"times": s.times} if s.times > 1 else {})
        for s in subgoals
    ]


def write_subgoals(path: Path, task: str, subgoals: Sequence[Subgoal]) -> None:
    """Writes a list of subgoals for a person to edit: JSON to a `.json` file, else YAML."""
    content = {"task": task, "subgoals": plain_subgoals(subgoals)}
    if path.suffix == ".json":
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_file(path, text)


def read_subgoals(path: Path) -> tuple[Subgoal, ...]:
    """Returns the subgoals in a YAML or JSON file, checked as a model's are; there may be 32.

    The file holds a list of name, definition and maybe statements and times, or a mapping with such
    a list as `subgoals`.

    Raises:
        UsageError: it can't be read; the message names the field.
    """
    value = read_yaml(path, "the subgoals")
    if isinstance(value, dict):
        if "subgoals" not in value:
            raise UsageError(f"{path} has no field `subgoals`: a list of name and definition")
        value = value["subgoals"]
    try:
        return check_subgoals(value, by_hand=True)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def find_subgoals(spec: str, task: Task, store: SubgoalLists | None = None) -> tuple[Subgoal, ...]:
    """Returns the subgoals that `--subgoals` names: `given`, a file, or the start of a stored hash.

    Raises:
        UsageError: there are none under that name.
    """
    if spec == "given":
        if not task.subgoals:
            raise UsageError(f"{task.id} has no given subgoals; run `calm decompose {task.id}`")
        return task.subgoals
    if Path(spec).is_file():
        return read_subgoals(Path(spec))
    lists = {} if store is None else dict(store.subgoal_sets(task.id))
    if task.subgoals:
        # The task's own: another with the same questions may have to do them more often.
        lists[subgoals_hash(task.subgoals)] = task.subgoals
    matches = [s for name, s in lists.items() if len(spec) >= 4 and name.startswith(spec)]
    if len(matches) == 1:
        return matches[0]
    known = ", ".join(name[:12] for name in lists) or "none"
    raise UsageError(
        f"--subgoals {spec!r} is neither `given`, nor a file, nor the start of one stored list's"
        f" hash ({known})"
    )
