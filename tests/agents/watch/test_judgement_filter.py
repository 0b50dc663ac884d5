"""What a reader may ask to see, and what an answer must be to be shown."""

import pytest

from agents.watch.judgement_filter import (
    CLASSES,
    JudgementFilter,
    answers_of,
    read_place,
    write_place,
)
from agents.watch.truths import Share
from calm.errors import UsageError
from calm.store.tables.browsing import JudgementOutline, Place
from calm.store.tables.contexts import StoredContext

NAMES = ("key", "door")
CONTEXT = StoredContext(
    1, "judge", "T", "events", '[["key", "K."], ["door", "D."]]', "p", "m", "{}", "judge-v1"
)


def outline(achieved: str | None, verdict: str | None = "ok") -> JudgementOutline:
    return JudgementOutline(b"k", 1, 1, 0, verdict, achieved)


def fits(achieved: str | None, stored: str | None = "ok", **wanted: str) -> bool:
    return JudgementFilter.read(wanted).fits_answer(outline(achieved, stored), NAMES)


def test_a_context_fits_by_task_model_prompt_and_subgoal() -> None:
    for wanted in ({}, {"task": "T", "model": "m"}, {"template": "judge-v1", "subgoal": "door"}):
        assert JudgementFilter.read(wanted).fits_context(CONTEXT)
    for wanted in ({"task": "U"}, {"model": "n"}, {"template": "x"}, {"subgoal": "stairs"}):
        assert not JudgementFilter.read(wanted).fits_context(CONTEXT)


def test_unreadable_is_never_a_no() -> None:
    assert fits(None, "invalid", verdict="unreadable")
    assert fits(None, "invalid", verdict="invalid")
    assert not fits(None, None, verdict="unreadable")  # nobody has read it yet
    assert fits(None, None, verdict="unread")
    assert not fits(None, "invalid", says="no")
    assert not fits(None, "invalid", subgoal="key", says="no")


def test_what_an_answer_says_is_of_one_subgoal_or_of_any() -> None:
    assert fits("[0, 1]", subgoal="door", says="yes")
    assert not fits("[0, 1]", subgoal="key", says="yes")
    assert fits("[0, 1]", subgoal="key", says="no")
    assert fits("[0, 1]", says="yes")
    assert not fits("[0, 1]", says="no")
    assert fits("[0, 0]", says="no")


def test_who_differs_is_asked_of_one_subgoal_or_of_any() -> None:
    shares = {"key": Share(0, 3), "door": Share(1, 2)}
    wanted = JudgementFilter(differs="engine")
    assert wanted.fits_truth({"key": True, "door": True}, shares)
    assert not wanted.fits_truth({"key": False, "door": True}, shares)  # of the door a half says so
    assert not JudgementFilter(subgoal="door").fits_truth({"key": True, "door": True}, shares)
    assert not wanted.fits_truth({"stairs": True}, shares)


@pytest.mark.parametrize("query", [{"says": "maybe"}, {"verdict": "good"}, {"differs": "judge"}])
def test_what_no_page_asks_for_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(query.values()))):
        JudgementFilter.read(query)
    assert all(JudgementFilter.read({"verdict": name}) for name in CLASSES)


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place(7, 3, b"\x00\xff")
    assert read_place(write_place(place)) == place
    for word in ("", "1.2", "1.2.xyz", "-1.2.00", "1.2.00.3", f"{1 << 63}.1.00", "a.b.00"):
        with pytest.raises(UsageError, match="no place in a store"):
            read_place(word)


def test_answers_are_by_name() -> None:
    assert answers_of("[1, 0]", NAMES) == {"key": True, "door": False}
    assert answers_of(None, NAMES) == answers_of("", NAMES) == {}
