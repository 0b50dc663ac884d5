"""Answers are read strictly: every fault is a class of its own, and none is ever a "no"."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm.asking.parse import parse, read_reply
from calm.endpoint.envelope import Reply
from calm.records import Usage, Verdict

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


YES, NO = '{"take": true}', '{"take": false}'


@pytest.mark.parametrize(
    "text",
    [
        f"A guess:\n```\n{YES}\n```\nNo.\n</think>\n{NO}",
        f"<think>{YES}</think><think>Hm, {YES}.</think>\n\n{NO}",
        f"<thinking>\n{YES}\n</thinking>\n{NO}",
        f"<THINK>x</THINK>{NO}",
        f"[THINK]{YES}[/THINK]{NO}",
        f"◁think▷{YES}◁/think▷{NO}",
        f"<seed:think>{YES}</seed:think>{NO}",
        f"<|START_THINKING|>{YES}<|END_THINKING|><|START_RESPONSE|>{NO}<|END_RESPONSE|>",
        f"<|channel|>analysis<|message|>{YES}<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{NO}<|return|>",
        f"{NO}<|im_end|>",
        f"{NO}<|im_end|>\n<|endoftext|>\n",
        f"{NO}<｜end▁of▁sentence｜>",
        f"{NO}</s>",
        f"<|im_start|>assistant\n{NO}<|im_end|>",
        f"\ufeff{NO}",
        f"\u00a0{NO}\u00a0",
        f"\u200b\n\ufeff {NO}",
        '<|channel|>analysis<|message|>Perhaps {"take": true}?<|end|><|start|>assistant'
        f"<|channel|>final <|constrain|>json<|message|>{NO}<|return|>",
    ],
)
@pytest.mark.parametrize("repair", [False, True])
def test_what_a_server_leaves_around_an_answer_is_not_the_answer(text: str, repair: bool) -> None:
    (one,) = parse(text, ("take",), repair=repair)
    assert (one.verdict, one.achieved) == (Verdict.OK, {"take": False})


@pytest.mark.parametrize(
    "text",
    [
        f"<think>A guess: {YES}",  # a thought without an end
        f"Let me see.\n<think>\n{YES}",
        f"A</think>B: {NO} <think>or {YES}",
        f"{YES}</think>",  # nothing after the thought
        f"{YES}\n</think>\nI can't tell.",
        f"```json\n{YES}\n```\nNo, rather:\n{NO}",  # several
        f"```json\n{YES}\n```\n```json\n{NO}\n```",
        f"Draft {YES}, final {NO}",
        f"{YES}\n{YES}",
        f"The form is {{'take': True}}. {NO}",
        f'{{"take": true or false}} is the form: {NO}',
        f'{{"take": true,\n{NO}',  # the first is cut
        f"{{}} {NO}",
        f"[{YES}, {NO}]",
        f"Answer: [{YES}]",
        f"A guess: {YES}",  # one, and it is a draft
        f"For example: ```json\n{YES}\n```",
        f"```\n{YES}\n```\nNo.",
        f"{YES} Wait, the key stayed where it was.",
        f"{YES}\n\nActually, it did not.",
        f"<|channel|>analysis<|message|>{YES}",  # marks that begin a thought, at the start
        f"<|begin_of_thought|>{YES}",
        f"<|START_THINKING|>{YES}<|im_end|>",
        f"{YES}\nOn reflection the answer should be false.",
        f"My initial answer: {YES}\nMy last one: false",
        f"{YES} would be wrong.",
        f"The answer is not {YES}",
        f"If the hero had taken it: {YES}",
        f"~~{YES}~~ false",
    ],
)
def test_repair_takes_no_draft_for_an_answer(text: str) -> None:
    for repair in (False, True):
        (one,) = parse(text, ("take",), repair=repair)
        assert one.verdict is Verdict.INVALID
        assert one.reason


@pytest.mark.parametrize(
    "text",
    [
        f"Thinking of it: {YES}?\n</think>\nHere it is:\n```json\n{NO}\n```",
        f"The {{key}} is gone. {NO}",
        f"The hero did not take it, so: {NO} I note that nothing else happened.",
        '{\u00a0"take": False,}',
        f"Sure [as asked]: {NO}<|im_end|>",
        f"The JSON that tells if it was taken:\n{NO}\nThe key is still there, so it is false.",
        f"```json\n{NO}",
    ],
)
def test_repair_mends_one_object_after_the_thought(text: str) -> None:
    (one,) = parse(text, ("take",), repair=True)
    assert (one.verdict, one.achieved) == (Verdict.REPAIRED, {"take": False})


def _thought(text: str) -> Reply:
    return Reply(text, message=json.dumps({"content": "", "reasoning": text}))


def test_a_field_for_thoughts_holds_a_whole_answer_or_none() -> None:
    assert read_reply(_thought(YES), ("take",))[0].achieved == {"take": True}
    for repair in (False, True):
        draft = read_reply(_thought(f"Perhaps {YES}, I think."), ("take",), repair=repair)
        assert draft[0].verdict is Verdict.INVALID
    ended = _thought(f"Perhaps {YES}.</think>So: {NO}")
    assert read_reply(ended, ("take",), repair=True)[0].achieved == {"take": False}


@pytest.mark.parametrize(
    ("finish", "verdict"),
    [
        ("SAFETY", Verdict.FILTERED), ("sensitive", Verdict.FILTERED),
        ("RECITATION", Verdict.FILTERED), ("PROHIBITED_CONTENT", Verdict.FILTERED),
        ("MAX_TOKENS", Verdict.TRUNCATED), ("max_tokens", Verdict.TRUNCATED),
        ("FinishReason.SAFETY", Verdict.FILTERED), ("content-filter", Verdict.FILTERED),
        ("model_length", Verdict.TRUNCATED), ("refusal", Verdict.REFUSED),
        ("STOP", Verdict.INVALID), ("eos", Verdict.INVALID),
    ],
)  # fmt: skip
def test_reasons_to_end_are_known_in_every_spelling(finish: str, verdict: Verdict) -> None:
    assert read_reply(Reply(GOOD[:20], finish), NAMES)[0].verdict is verdict


def test_an_answer_cut_at_its_cap_is_truncated_whatever_the_reason_given() -> None:
    at_cap, below = Usage(completion_tokens=64), Usage(completion_tokens=63)
    assert read_reply(Reply(GOOD[:20], usage=at_cap), NAMES, cap=64)[0].verdict is Verdict.TRUNCATED
    assert read_reply(Reply("", usage=at_cap), NAMES, cap=64)[0].verdict is Verdict.TRUNCATED
    assert read_reply(Reply(GOOD[:20], usage=below), NAMES, cap=64)[0].verdict is Verdict.INVALID
    assert read_reply(Reply(GOOD, usage=at_cap), NAMES, cap=64)[0].verdict is Verdict.OK
    whole = read_reply(Reply('{"win": true}', usage=at_cap), NAMES, cap=64)
    assert whole[0].verdict is Verdict.INVALID


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        " " * 300_000 + "x",
        "x" + " " * 300_000 + "x",
        "<s>" + "\n" * 300_000 + "x",
        "guess " * 50_000 + YES,
        YES + " no" * 100_000,
        "<" * 300_000,
        "<think>" * 50_000,
        "{" * 300_000,
        "[ " * 150_000,
        '"' * 300_000 + YES,
        "<|im_end|>" * 20_000,
    ],
)
def test_long_nonsense_is_read_in_reasonable_time(text: str) -> None:
    parse(text, ("take",), repair=True)
