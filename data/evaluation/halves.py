"""Splits a part in two by its texts: one half to tune on, the other to report.

What is chosen by its figures (a form of question, a threshold) is reported on texts that the
choice has not met. The hash of the `events` text decides, or of the judge's own description where
there is none, so equal events are in the same half whatever the description.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from calm.errors import unknown
from calm.records import Transition
from data.parquet import Transitions
from data.stored import items_where

TUNE, REPORT = "tune", "report"
HALVES = (TUNE, REPORT)


def half_of(transition: Transition) -> str:
    """Returns the half that a transition is in."""
    text = transition.texts.get("events") or next(iter(transition.texts.values()))
    return HALVES[int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2]


def take_half(part: Transitions, half: str) -> Transitions:
    """Returns the rows of one half of a part; all of it for "".

    Raises:
        UsageError: no such half.
    """
    if not half:
        return part
    if half not in HALVES:
        raise unknown("half", half, HALVES)
    wanted = (half_of(row.transition) == half for row in part.rows)
    return replace(part, rows=items_where(part.rows, wanted))
