"""Reads what the labelling page posts; what no page sends is refused with the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

from data.label.session import PAGE, Session, shown
from data.schema import Label

DAY = 86_400.0
"""Seconds; the page counts no longer, however long it was left open."""
MAX_NONCE = 64
_NUMBER = 1 << 63
"""SQLite's numbers of rows are smaller."""


@dataclass(frozen=True, slots=True)
class PostedAnswer:
    """An answer as the page sends it."""

    label: Label
    nonce: str
    """Names the attempt, so that a retry is not a second answer."""
    replaces: int | None
    """Number of the answer that the page showed as the present one, 0 for none."""


def read_answer(body: bytes, session: Session) -> PostedAnswer:
    """Returns the answer in the body of a posted form, timed now.

    Raises:
        ValueError: a field is missing, doubled, or holds what no page of this session sends.
    """
    form = _form(body)
    answers = form.pop("answer", [])
    fields = _single(form, {"id", "nonce", "seconds", "replaces"})
    row = session.by_id.get(fields.get("id", ""))
    if row is None:
        raise ValueError(f"no such transition: {fields.get('id', '')[:64]!r}")
    names = tuple(s.name for s in session.tasks[row.transition.task].subgoals)
    alone = answers in ([":none"], [":unsure"])
    if not alone and not (answers and set(answers) <= set(names)):
        raise ValueError("an answer is a subgoal, several, none or unsure")
    if len(set(answers)) != len(answers):
        raise ValueError("a subgoal is named twice")
    nonce = fields.get("nonce", "")
    if not nonce or len(nonce) > MAX_NONCE or not nonce.isascii() or not nonce.isprintable():
        raise ValueError(f"nonce has 1 to {MAX_NONCE} printable ASCII characters")
    return PostedAnswer(
        Label(
            row.transition.id,
            session.annotator,
            tuple(name for name in names if name in answers),
            names,
            answers == [":unsure"],
            round(_seconds(fields.get("seconds", "0")), 2),
            datetime.now(UTC).isoformat(timespec="seconds"),
            shown(row),
            session.set_version,
            PAGE,
        ),
        nonce,
        _row_number("replaces", fields.get("replaces")),
    )


def read_undo(body: bytes) -> int | None:
    """Returns the number of the answer to take back; None for whichever is the last.

    Raises:
        ValueError: as `read_answer`.
    """
    return _row_number("last", _single(_form(body), {"last"}).get("last"))


def _form(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise ValueError("the form cannot be read") from None


def _single(form: dict[str, list[str]], known: set[str]) -> dict[str, str]:
    """Returns the fields by name; each must be known and stand once."""
    for name, values in form.items():
        if name not in known:
            raise ValueError(f"unknown field {name[:64]!r}")
        if len(values) > 1:
            raise ValueError(f"{name} is given {len(values)} times")
    return {name: values[0] for name, values in form.items()}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= DAY:
        raise ValueError(f"seconds is {text[:32]!r}, expected a number from 0 to {DAY:.0f}")
    return seconds


def _row_number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _NUMBER):
        raise ValueError(f"{name} is {text[:32]!r}, expected the number of an answer")
    return int(text)
