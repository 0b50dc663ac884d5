"""Why an answer is not in the store: how its key differs from the nearest one there."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from calm.records import subgoals_hash
from calm.store.question import Answer, Context
from calm.store.store import Store
from calm.store.tables.contexts import StoredContext, load_subgoals

_TEXTS = 5000  # most texts that are compared letter by letter


class Difference(NamedTuple):
    """One part of the key: what the question has, and what the nearest stored answer has."""

    part: str
    asked: str
    stored: str


@dataclass(frozen=True)
class Why:
    """Whether a question is answered, and if not, how the nearest stored answer differs."""

    stored: bool
    """It is answered: nothing differs."""
    verdict: str = ""
    differences: list[Difference] = field(default_factory=list)
    """From the nearest stored answer; empty if the store has none."""
    questions: int = 1
    """How many a form asks about one transition."""
    missing: int = 0
    """Of these, without a stored answer."""
    about: tuple[str, ...] = ()
    """Of several, what the first that is missing is about: the subgoals or the statement, and the
    text or the line of it."""


def why_each(store: Store, questions: Sequence[tuple[Context, str]]) -> Why:
    """Returns whether all questions about one transition are answered; if not, explains a miss.

    Args:
        questions: context and text of each, at least one.

    Returns:
        Of the first that is missing how the nearest stored key differs, see `why`; of those that
        are all stored their different verdicts.
    """
    answers = store.answers([context.key(text) for context, text in questions])
    missing = [pair for pair in questions if pair[0].key(pair[1]) not in answers]
    if not missing:
        verdicts = dict.fromkeys(_verdict_of(answer) for answer in answers.values())
        return Why(True, ", ".join(verdicts), questions=len(questions))
    context, text = missing[0]
    names = "; ".join(s.name for s in context.subgoals)
    return replace(
        why(store, context, text),
        questions=len(questions),
        missing=len(missing),
        about=(names, text) if len(questions) > 1 else (),
    )


def _verdict_of(answer: Answer) -> str:
    return "unread" if answer.verdict is None else answer.verdict.value


def why(store: Store, context: Context, text: str, sample: int = 0) -> Why:
    """Returns whether a question is answered, and if not, how the nearest stored key differs.

    Nearest is: the same text before another, then the fewest parts of the context that differ.
    """
    key = context.key(text, sample)
    if answer := store.answers([key]).get(key):
        return Why(True, _verdict_of(answer))
    best: tuple[int, int, list[Difference]] | None = None
    for stored in store.tables.contexts.with_answers():
        differences = _differences(context, stored)
        nearest_sample = store.tables.answers.nearest_sample(stored.number, text, sample)
        if nearest_sample not in (None, sample):
            differences.append(Difference("sample", str(sample), str(nearest_sample)))
        candidate = (int(nearest_sample is None), len(differences), differences)
        if best is None or candidate[:2] < best[:2]:
            best = candidate
            nearest = stored.number
    if best is None:
        return Why(False, missing=1)
    if best[0]:
        best[2].append(Difference("text", text, _nearest_text(store, nearest, text)))
    return Why(False, differences=best[2], missing=1)


def _differences(context: Context, row: StoredContext) -> list[Difference]:
    """Returns the parts of the key in which a stored context differs from `context`."""
    subgoals = load_subgoals(row.subgoals)
    stored = row._asdict() | {"subgoals": subgoals_hash(subgoals)}
    differences = []
    for part, wanted in context.components.items():
        if wanted == stored[part]:
            continue
        if part == "subgoals":
            names = "; ".join(s.name for s in context.subgoals)
            theirs = "; ".join(s.name for s in subgoals)
            same = " (the definitions or the order differ)" if names == theirs else ""
            differences.append(Difference(part, names, theirs + same))
        elif part == "prompt":
            hint = " (template, goal or legend)"
            differences.append(
                Difference(
                    part,
                    f"{context.template} {wanted[:12]}{hint}",
                    f"{row.template} {stored[part][:12]}",
                )
            )
        else:
            differences.append(Difference(part, wanted, stored[part]))
    return differences


def _nearest_text(store: Store, context: int, text: str) -> str:
    """Returns the text with an answer that is most like `text`, letter by letter."""
    texts = store.tables.answers.texts_of_like_length(context, len(text), _TEXTS)
    matcher = difflib.SequenceMatcher(b=text, autojunk=False)

    def likeness(other: str) -> float:
        matcher.set_seq1(other)
        return matcher.quick_ratio()

    return max(texts, key=likeness)
