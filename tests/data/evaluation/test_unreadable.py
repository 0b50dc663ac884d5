"""How a command ends where answers could not be read."""

from calm.records import Judgement, Verdict
from data.evaluation.unreadable import unreadable
from data.schema import JudgedTransition

GOOD, BAD = Judgement(Verdict.OK, {"a": True}), Judgement(Verdict.INVALID, reason="prose")
GONE = Judgement(Verdict.ERROR, reason="500: away")


def _rows(judge: str, *answers: Judgement) -> list[JudgedTransition]:
    return [JudgedTransition(str(i), judge, "events", a) for i, a in enumerate(answers)]


def test_all_that_is_read_is_no_error() -> None:
    assert unreadable(_rows("m", GOOD, GOOD)) is None
    assert unreadable([]) is None


def test_what_is_not_read_is_counted_and_a_silent_judge_named() -> None:
    error = unreadable([*_rows("m", GOOD, BAD), *_rows("n", GONE, GONE)])
    assert error is not None
    assert error.exit_code == 4
    assert str(error) == (
        "3 of 4 answers could not be read; they are counted, never as a no. n answered nothing,"
        " the last: 500: away"
    )
