"""The tables on disk: transitions with the engine's truth, judgements, people's labels.

A row of each is a frozen record here and a row of an Arrow table in a file (`data.parquet` and
`data.judgements` read and write them). Rendered text is stored, so whoever reads the tables needs
no game.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from calm.records import (
    MODES,
    NONE,
    Judgement,
    LabelledTransition,
    Screen,
    Transition,
    Usage,
    Verdict,
)

SCHEMA_VERSION = "1"
"""Goes up when a reader of the old tables would misread the new ones."""

ENGINE = "engine"
PEOPLE = "people"
"""What judges can be scored against, beside one annotator; no person can be called so."""

UNSURE = "unsure"
"""The class of a label whose annotator would not say."""


@dataclass(frozen=True, slots=True)
class JudgedTransition:
    """One judge's answer about one transition, as a row to keep or to share."""

    id: str
    """The transition's."""
    judge: str
    mode: str
    judgement: Judgement
    sample: int = 0
    """0 for the first time it was asked, 1 for the first repeat."""
    variant: str = ""
    """The options of the prompt that differ from the default ones."""


@dataclass(frozen=True, slots=True)
class Label:
    """One person's answer about one transition."""

    id: str
    """The transition's."""
    annotator: str
    achieved: tuple[str, ...]
    """Names of the subgoals the person saw achieved; empty for "none"."""
    asked: tuple[str, ...]
    """Names of the subgoals that were offered."""
    unsure: bool = False
    seconds: float = 0.0
    """Time from seeing it to answering."""
    at: str = ""
    """When, ISO 8601 in UTC."""
    reads: str = ""
    """What the person saw: `screens`, or the description `screen`, `crop` or `events`; empty if
    that is not known."""
    set: str = ""
    """Name of the set and the first letters of its part's content hash."""
    page: str = ""
    """Version of the page or the program that took it."""

    def kind(self) -> str:
        """Returns its class: the subgoals achieved, joined by " + "; `none`; or `unsure`."""
        if self.unsure:
            return UNSURE
        return " + ".join(name for name in self.asked if name in self.achieved) or NONE


_TEXT = pa.large_string()
_FLAGS = pa.map_(pa.string(), pa.bool_())

TRANSITIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        *(pa.field(mode, _TEXT) for mode in MODES),
        pa.field("action", pa.string(), nullable=False),
        pa.field("terminated", pa.bool_(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("truth", _FLAGS, nullable=False),
        pa.field("episode", pa.string(), nullable=False),
        pa.field("step", pa.int32(), nullable=False),
        pa.field("level_seed", pa.int64()),
        pa.field("player", pa.string()),
        pa.field("versions", pa.string()),
        pa.field("provenance", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("before_chars", _TEXT),
        pa.field("before_colours", _TEXT),
        pa.field("after_chars", _TEXT),
        pa.field("after_colours", _TEXT),
    ]
)

JUDGEMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("judge", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("achieved", _FLAGS, nullable=False),
        pa.field("confidence", pa.map_(pa.string(), pa.float64())),
        pa.field("raw", _TEXT, nullable=False),
        pa.field("reason", _TEXT, nullable=False),
        pa.field("requests", pa.int64(), nullable=False),
        pa.field("prompt_tokens", pa.int64(), nullable=False),
        pa.field("cached_tokens", pa.int64(), nullable=False),
        pa.field("completion_tokens", pa.int64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("cost", pa.float64()),
    ]
)

LABELS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("annotator", pa.string(), nullable=False),
        pa.field("achieved", pa.list_(pa.string()), nullable=False),
        pa.field("asked", pa.list_(pa.string()), nullable=False),
        pa.field("unsure", pa.bool_(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("at", pa.string(), nullable=False),
        pa.field("reads", pa.string()),
        pa.field("set", pa.string()),
        pa.field("page", pa.string()),
    ]
)
OPTIONAL = frozenset({"reads", "set", "page"})
"""Columns that files of earlier releases lack; they are read as empty."""

_OWN_COLUMNS = ("level_seed", "player", "versions")


def transition_row(row: LabelledTransition) -> dict[str, Any]:
    """Returns a row of `TRANSITIONS`."""
    t, p = row.transition, row.provenance
    return {
        "id": t.id,
        "task": t.task,
        **{mode: t.texts.get(mode) for mode in MODES},
        "action": t.action,
        "terminated": t.terminated,
        "truncated": t.truncated,
        "truth": list(row.truth.items()),
        "episode": t.episode,
        "step": t.step,
        **{name: p.get(name) for name in _OWN_COLUMNS},
        "provenance": [(k, str(v)) for k, v in p.items() if k not in _OWN_COLUMNS],
        "before_chars": row.before and row.before.chars,
        "before_colours": row.before and row.before.colours,
        "after_chars": row.after and row.after.chars,
        "after_colours": row.after and row.after.colours,
    }


def transition_of(row: Mapping[str, Any]) -> LabelledTransition:
    """Returns the record of a row of `TRANSITIONS`.

    Raises:
        ValueError: its id is not the hash of its content.
    """
    transition = Transition(
        task=row["task"],
        texts={mode: row[mode] for mode in MODES if row[mode] is not None},
        action=row["action"],
        episode=row["episode"],
        step=row["step"],
        terminated=row["terminated"],
        truncated=row["truncated"],
    )
    if transition.id != row["id"]:
        raise ValueError(f"its id is {row['id'][:12]}…, its content's is {transition.id[:12]}…")
    own = {name: row[name] for name in _OWN_COLUMNS if row[name] is not None}
    return LabelledTransition(
        transition,
        dict(row["truth"]),
        own | dict(row["provenance"]),
        _screen(row["before_chars"], row["before_colours"]),
        _screen(row["after_chars"], row["after_colours"]),
    )


def _screen(chars: str | None, colours: str | None) -> Screen | None:
    return None if chars is None or colours is None else Screen(chars, colours)


def judgement_row(row: JudgedTransition) -> dict[str, Any]:
    """Returns a row of `JUDGEMENTS`."""
    j, u = row.judgement, row.judgement.usage
    return {
        "id": row.id,
        "judge": row.judge,
        "mode": row.mode,
        "variant": row.variant,
        "sample": row.sample,
        "verdict": j.verdict.value,
        "achieved": list(j.achieved.items()),
        "confidence": None if j.confidence is None else list(j.confidence.items()),
        "raw": j.raw,
        "reason": j.reason,
        "requests": u.requests,
        "prompt_tokens": u.prompt_tokens,
        "cached_tokens": u.cached_tokens,
        "completion_tokens": u.completion_tokens,
        "seconds": u.seconds,
        "cost": u.cost,
    }


def judgement_of(row: Mapping[str, Any]) -> JudgedTransition:
    """Returns the record of a row of `JUDGEMENTS`.

    Raises:
        ValueError: a verdict that does not exist.
    """
    judgement = Judgement(
        Verdict(row["verdict"]),
        dict(row["achieved"]),
        None if row["confidence"] is None else dict(row["confidence"]),
        row["raw"],
        row["reason"],
        Usage(
            row["requests"],
            row["prompt_tokens"],
            row["cached_tokens"],
            row["completion_tokens"],
            row["seconds"],
            row["cost"],
        ),
    )
    return JudgedTransition(
        row["id"], row["judge"], row["mode"], judgement, row["sample"], row["variant"]
    )


def label_row(row: Label) -> dict[str, Any]:
    """Returns a row of `LABELS`."""
    return {
        "id": row.id,
        "annotator": row.annotator,
        "achieved": list(row.achieved),
        "asked": list(row.asked),
        "unsure": row.unsure,
        "seconds": row.seconds,
        "at": row.at,
        "reads": row.reads,
        "set": row.set,
        "page": row.page,
    }


def label_of(row: Mapping[str, Any]) -> Label:
    """Returns the record of a row of `LABELS`.

    Raises:
        ValueError: it names a subgoal that was not offered, or its seconds are no time.
    """
    label = Label(
        row["id"],
        row["annotator"],
        tuple(row["achieved"]),
        tuple(row["asked"]),
        row["unsure"],
        row["seconds"],
        row["at"],
        *(row.get(name) or "" for name in ("reads", "set", "page")),
    )
    if extra := set(label.achieved) - set(label.asked):
        raise ValueError(f"achieved names what was not asked: {', '.join(sorted(extra))}")
    if not 0 <= label.seconds < float("inf"):
        raise ValueError(f"seconds is {label.seconds}, expected a time of 0 or more")
    return label
