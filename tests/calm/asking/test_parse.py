"""Answers are read strictly: every fault is a class of its own, and none is ever a "no"."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm.asking.parse import parse, read_reply
from calm.endpoint.envelope import Reply
from calm.records import Verdict

NAMES = ("pick up the key", "open the door")
GOOD = '{"pick up the key": true, "open the door": false}'


def test_a_good_answer_is_read() -> None:
    (one,) = parse(GOOD, NAMES)
    assert one.verdict is Verdict.OK
    assert one.achieved == {"pick up the key": True, "open the door": False}


def test_whitespace_order_and_a_thought_before_it_change_nothing() -> None:
    (one,) = parse(
        '<think>The {key} is gone.</think>\n {"open the door":false,\n"pick up the key":true} ',
        NAMES,
    )
    assert one.verdict is Verdict.OK
    assert one.achieved == {"pick up the key": True, "open the door": False}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("Sure! The key was picked up.", "not JSON"),
        ("true", "bool where an object"),
        ("[true, false]", "list where an object"),
        ('{"pick up the key": true}', "missing: open the door"),
        (GOOD[:-1] + ', "win": true}', "not asked for: win"),
        (GOOD[:-1] + ', "open the door": true}', "given twice: open the door"),
        ('{"pick up the key": "true", "open the door": false}', "not a boolean: pick up the key"),
        ('{"pick up the key": 1, "open the door": 0}', "not a boolean: pick up the key, open"),
        ('{"pick up the key": null, "open the door": false}', "not a boolean"),
        ('{"pick up the key": NaN, "open the door": false}', "NaN is not JSON"),
        ("{'pick up the key': True, 'open the door': False}", "not JSON"),
        (f"```json\n{GOOD}\n```", "not JSON"),
        (f"{GOOD}\n{GOOD}", "not JSON"),
        (GOOD[: len(GOOD) // 2], "not JSON"),
        ('{"Pick up the key": true, "open the door": false}', "missing: pick up the key"),
        ("[" * 100_000, "not JSON"),
        ('{"a": ' + "9" * 5000 + "}", ""),
        ('__import__("os").system("true")', "not JSON"),
    ],
)
def test_anything_else_is_invalid_with_a_reason(text: str, reason: str) -> None:
    (one,) = parse(text, NAMES)
    assert one.verdict is Verdict.INVALID
    assert not one.achieved
    assert reason in one.reason


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"Here you are: {GOOD} I hope it helps.",
        GOOD[:-1] + ",}",
        GOOD.replace("true", "True").replace("false", "False"),
    ],
)
def test_repair_mends_form_and_says_so(text: str) -> None:
    (one,) = parse(text, NAMES, repair=True)
    assert one.verdict is Verdict.REPAIRED
    assert one.achieved == {"pick up the key": True, "open the door": False}
    assert one.reason


@pytest.mark.parametrize(
    "text",
    [
        '{"pick up the key": true}',
        '{"pick up the key": "True", "open the door": false}',
        "```\n" + GOOD[:-1] + ', "open the door": true}\n```',
        "no object here",
    ],
)
def test_repair_never_mends_content(text: str) -> None:
    assert parse(text, NAMES, repair=True)[0].verdict is Verdict.INVALID


def test_repair_leaves_words_inside_names_alone() -> None:
    names = ("say True, or", "b")
    (one,) = parse('{"say True, or": True, "b": False,}', names, repair=True)
    assert one.achieved == {"say True, or": True, "b": False}


def test_answers_of_one_request_are_matched_by_id_and_a_missing_one_is_unreadable() -> None:
    answer = {"t3": json.loads(GOOD), "t1": {"pick up the key": False, "open the door": True}}
    first, second, third = parse(json.dumps(answer), NAMES, ("t1", "t2", "t3"))
    assert first.achieved == {"pick up the key": False, "open the door": True}
    assert second.verdict is Verdict.INVALID
    assert "t2" in second.reason
    assert third.achieved == {"pick up the key": True, "open the door": False}


@given(st.dictionaries(st.sampled_from([*NAMES, "other"]), st.booleans() | st.none() | st.text()))
def test_only_an_object_with_exactly_the_names_and_booleans_is_readable(value: dict) -> None:
    (one,) = parse(json.dumps(value), NAMES)
    good = set(value) == set(NAMES) and all(isinstance(v, bool) for v in value.values())
    assert one.verdict.readable == good
    assert one.achieved == (value if good else {})


@given(st.text(), st.booleans())
def test_no_text_whatever_raises(text: str, repair: bool) -> None:
    parse(text, NAMES, repair=repair)
    parse(text, NAMES, ("t1", "t2"), repair=repair)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(GOOD), Verdict.OK),
        (Reply("", refusal="I can't help with that."), Verdict.REFUSED),
        (Reply("", finish="content_filter"), Verdict.FILTERED),
        (Reply(GOOD[:20], finish="length"), Verdict.TRUNCATED),
        (Reply(GOOD, finish="length"), Verdict.OK),
        (Reply(GOOD[:20], finish=None), Verdict.TRUNCATED),
        (Reply(GOOD[:20]), Verdict.INVALID),
    ],
)
def test_the_envelope_decides_what_an_unreadable_answer_is(reply: Reply, verdict: Verdict) -> None:
    assert read_reply(reply, NAMES)[0].verdict is verdict
