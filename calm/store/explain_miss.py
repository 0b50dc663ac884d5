"""Why an answer is not in the store: how its key differs from the nearest one there."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from typing import NamedTuple

from calm.records import Subgoal, subgoals_hash
from calm.store.question import Context
from calm.store.store import Store

_TEXTS = 5000  # at most so many texts are compared letter by letter


class Difference(NamedTuple):
    """One part of the key: what was asked for, and what the nearest stored answer has."""

    part: str
    asked: str
    stored: str


@dataclass(frozen=True)
class Why:
    """What `calm store why` tells of one question."""

    stored: bool
    """It is answered: nothing differs."""
    verdict: str = ""
    differences: list[Difference] = field(default_factory=list)
    """From the nearest stored answer; empty if the store has none."""


def why(store: Store, context: Context, text: str, sample: int = 0) -> Why:
    """Looks a question up and, if it is not there, finds the stored answer with the nearest key.

    Nearest is: the same text before another, then the fewest parts of the context that differ.
    """
    key = context.key(text, sample)
    if found := store.answers([key]).get(key):
        return Why(True, "unread" if found.verdict is None else found.verdict.value)
    rows = store.database.query(
        "SELECT c.id, c.kind, c.task, c.mode, c.subgoals, c.prompt, c.model, c.params,"
        " c.template FROM contexts c WHERE EXISTS (SELECT 1 FROM answers a WHERE a.context = c.id)"
    )
    best: tuple[int, int, list[Difference]] | None = None
    for number, *parts, template in rows:
        differences = _parts(context, parts, template)
        there = store.database.query(
            "SELECT a.sample FROM answers a JOIN texts t ON t.id = a.text"
            " WHERE a.context = ? AND t.text = ? ORDER BY abs(a.sample - ?) LIMIT 1",
            [number, text, sample],
        )
        if there and there[0][0] != sample:
            differences.append(Difference("sample", str(sample), str(there[0][0])))
        candidate = (int(not there), len(differences), differences)
        if best is None or candidate[:2] < best[:2]:
            best = candidate
            nearest = number
    if best is None:
        return Why(False)
    if best[0]:
        best[2].append(Difference("text", text, _nearest_text(store, nearest, text)))
    return Why(False, differences=best[2])


def _parts(context: Context, parts: list[str], template: str) -> list[Difference]:
    kind, task, mode, subgoals, prompt, model, params = parts
    stored_subgoals = [Subgoal(*s) for s in json.loads(subgoals)]
    stored = {
        "kind": kind,
        "task": task,
        "mode": mode,
        "subgoals": subgoals_hash(stored_subgoals),
        "prompt": prompt,
        "model": model,
        "params": params,
    }
    found = []
    for part, asked in context.components.items():
        if asked == stored[part]:
            continue
        if part == "subgoals":
            names = "; ".join(s.name for s in context.subgoals)
            theirs = "; ".join(s.name for s in stored_subgoals)
            same = " (the definitions or the order differ)" if names == theirs else ""
            found.append(Difference(part, names, theirs + same))
        elif part == "prompt":
            hint = " (template, goal or legend)"
            found.append(
                Difference(
                    part,
                    f"{context.template} {asked[:12]}{hint}",
                    f"{template} {stored[part][:12]}",
                )
            )
        else:
            found.append(Difference(part, asked, stored[part]))
    return found


def _nearest_text(store: Store, context: int, text: str) -> str:
    rows = store.database.query(
        "SELECT t.text FROM answers a JOIN texts t ON t.id = a.text WHERE a.context = ?"
        " ORDER BY abs(length(t.text) - ?) LIMIT ?",
        [context, len(text), _TEXTS],
    )
    matcher = difflib.SequenceMatcher(b=text, autojunk=False)

    def likeness(other: str) -> float:
        matcher.set_seq1(other)
        return matcher.quick_ratio()

    return max((str(r[0]) for r in rows), key=likeness)
