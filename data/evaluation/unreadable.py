"""How `calm annotate` and `calm evaluate` end where answers could not be read."""

from __future__ import annotations

from collections.abc import Iterable

from calm.errors import PartialError
from calm.records import Judgement, Verdict
from data.schema import JudgedTransition


def unreadable(judged: Iterable[JudgedTransition]) -> PartialError | None:
    """Returns the error to end with; None if every answer could be read.

    Of a judge that answered nothing at all it tells the last fault, most likely that of all.
    """
    answers: dict[str, list[Judgement]] = {}
    for row in judged:
        answers.setdefault(row.judge, []).append(row.judgement)
    verdicts = [j.verdict for ones in answers.values() for j in ones]
    count = sum(not v.readable for v in verdicts)
    if not count:
        return None
    message = (
        f"{count} of {len(verdicts)} answers could not be read; they are counted, never as a no"
    )
    for judge, ones in answers.items():
        if all(j.verdict is Verdict.ERROR for j in ones):
            message += f". {judge} answered nothing, the last: {ones[-1].reason}"
    return PartialError(message)
