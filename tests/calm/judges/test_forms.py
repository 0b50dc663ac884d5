"""A judge asks in any form, over HTTP, and a replay of its store says the same without a model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from calm.asking.form import lines_of
from calm.errors import UsageError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Subgoal, Task, Transition, Verdict
from calm.store.store import Store
from tests.support.loopback_judge import judge_of

TAKE = Subgoal("take the key", "It is taken.", ("the key entered the inventory",))
NEAR = Subgoal("reach the door", "It is near.", ("the hero carries the key", "a door is near"))
TASK = Task("Room-v0", "Open the door.", (TAKE, NEAR))
TEXTS = (
    "Action: move.\nThe hero carries the key.\nA door is near.",
    "Action: move.\nA door is near.",
    "Action: pick up.\nThe key entered the inventory.",
)
TRUTH = [(False, True), (False, False), (True, False)]


def says(body: Mapping[str, Any]) -> str:
    """What a perfect model answers in each form."""
    prompt = body["messages"][0]["content"]
    if "<line>" in prompt:
        line, end = prompt.rsplit("<line>\n", 1)[1].lower().split("\n</line>")
        statement = next(s for s in (*TAKE.statements, *NEAR.statements) if s in end)
        return "yes" if statement in line else "no"
    text = next(t for t in TEXTS if prompt.rstrip().split("<step>")[-1].find(t) >= 0 or t in prompt)
    key, door = TRUTH[TEXTS.index(text)]
    begun = body["messages"][1]["content"] if len(body["messages"]) > 1 else ""
    if begun.startswith("{"):
        return "true" if (key if "take" in begun else door) else "false"
    if "<step>" in prompt:
        end = prompt[prompt.rindex("</step>") :].lower()
        statement = next(s for s in (*TAKE.statements, *NEAR.statements) if s in end)
        return "yes" if statement in text.lower() else "no"
    if '"achieved"' in prompt:
        return json.dumps({"achieved": [key, door]})
    words = {"happened": "A step."} if '"happened"' in prompt else {}
    return json.dumps(words | {TAKE.name: key, NEAR.name: door})


def transitions() -> list[Transition]:
    return [Transition(TASK.id, {"events": text}, "") for text in TEXTS]


@pytest.mark.parametrize(
    ("form", "requests"),
    [
        ("booleans", 3),
        ("array", 3),
        ("explain", 3),
        ("skeleton", 6),  # 3 texts, 2 subgoals
        ("statements", 9),  # 3 texts, 3 statements
        ("statements-few-shot", 9),
        ("lines", 15),  # 5 different lines, 3 statements
        ("lines-few-shot", 15),
    ],
)
def test_every_form_is_asked_read_kept_and_replayed(
    tmp_path: Path, form: str, requests: int
) -> None:
    with Loopback(answer=says) as server, Store(tmp_path / "a.sqlite") as store:
        judge = judge_of(server, form=form, store=store, concurrency=2)
        judged = judge.judge(TASK, TASK.subgoals, transitions())
        assert server.counts["ok"] == requests
        again = judge_of(server, form=form, store=store).judge(TASK, TASK.subgoals, transitions())
        assert server.counts["ok"] == requests  # nothing is paid twice
    assert [tuple(j.achieved.values()) for j in judged] == TRUTH
    assert [j.achieved for j in again] == [j.achieved for j in judged]
    with Store.existing(tmp_path / "a.sqlite") as store:
        for options in ({}, {"form": form}):
            replay = make_judge("replay", store=store, **options)
            replayed = replay.judge(TASK, TASK.subgoals, transitions())
            assert [j.achieved for j in replayed] == [j.achieved for j in judged]


def test_all_requests_about_one_transition_follow_one_another() -> None:
    with Loopback(answer=says) as server:
        judge_of(server, form="statements", concurrency=1).judge(TASK, TASK.subgoals, transitions())
        prompts = [body["messages"][0]["content"] for body in server.bodies]
    which = [next(i for i, t in enumerate(TEXTS) if f"\n{t}\n" in prompt) for prompt in prompts]
    assert which == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    first, second = prompts[0], prompts[1]
    shared = next(i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    assert shared > first.index("</step>")  # all but the statement is the same


def test_lines_are_asked_once_over_texts_and_tasks_and_cost_once(tmp_path: Path) -> None:
    other = Task("Hall-v0", "Leave.", (NEAR,))
    with Loopback(answer=says) as server, Store(tmp_path / "a.sqlite") as store:
        judge = judge_of(server, form="lines", store=store)
        judged = judge.judge(TASK, TASK.subgoals, transitions())
        assert sum(j.usage.requests for j in judged) == server.counts["ok"] == 15
        text = "Action: pick up.\nThe hero carries the key.\nA door is near."
        moved = Transition(other.id, {"events": text}, "")
        (answer,) = judge.judge(other, other.subgoals, [moved])
        assert server.counts["ok"] == 15
    assert answer.achieved == {NEAR.name: True}
    assert "a door is near: yes (A door is near.)" in answer.raw


def test_a_line_is_asked_about_without_what_was_before() -> None:
    text = "The hero came next to the key (before: within 2 steps).\n\nIt moved."
    assert lines_of(text) == ("The hero came next to the key.", "It moved.")
    assert lines_of('Message: "Really quit? (y/n)"') == ('Message: "Really quit? (y/n)"',)


def test_maps_are_not_asked_about_line_by_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes events, not screen"):
        make_judge("openai:m", mode="screen", base_url="http://127.0.0.1:9/v1", form="lines")


def test_a_line_that_cannot_be_read_makes_its_text_unreadable() -> None:
    def mumbles(body: Mapping[str, Any]) -> str:
        return "Perhaps" if "\nA door is near.\n" in body["messages"][0]["content"] else "no"

    with Loopback(answer=mumbles) as server:
        judged = judge_of(server, form="lines").judge(TASK, TASK.subgoals, transitions())
    assert [j.verdict.readable for j in judged] == [False, False, True]
    assert ": A door is near.: " in judged[0].reason


def test_what_one_answer_does_not_say_is_unreadable_and_never_no() -> None:
    def mumbles(body: Mapping[str, Any]) -> str:
        prompt = body["messages"][0]["content"]
        return "Perhaps" if "a door is near?" in prompt else "no"

    with Loopback(answer=mumbles) as server:
        judged = judge_of(server, form="statements").judge(TASK, TASK.subgoals, transitions())
    assert {j.verdict for j in judged} <= {Verdict.INVALID, Verdict.TRUNCATED}
    assert all(not j.achieved and "a door is near" in j.reason for j in judged)


def test_a_plan_counts_every_request(tmp_path: Path) -> None:
    with Loopback(answer=says) as server, Store(tmp_path / "a.sqlite") as store:
        judge = judge_of(server, form="statements", store=store)
        plan = judge.plan(TASK, TASK.subgoals, transitions())
        assert (plan.transitions, plan.questions, plan.new, plan.stored) == (3, 9, 9, 0)
        judge.judge(TASK, TASK.subgoals, transitions()[:2])
        plan = judge.plan(TASK, TASK.subgoals, transitions())
        assert (plan.new, plan.stored) == (3, 6)
        known = judge.recall(TASK, TASK.subgoals, transitions())
        assert [j is None for j in known] == [False, False, True]


def test_forms_of_one_transition_a_request_take_no_more() -> None:
    with pytest.raises(UsageError, match="one transition a request"):
        make_judge("openai:m", base_url="http://127.0.0.1:9/v1", form="skeleton", per_request=2)


def test_a_subgoal_without_statements_is_asked_about_by_its_name() -> None:
    bare = Subgoal("eat the apple", "It is eaten.")
    with Loopback(answer=lambda body: "no") as server:
        judge_of(server, form="statements").judge(TASK, [bare], transitions()[:1])
        (body,) = server.bodies
    assert "the player achieved this: eat the apple?" in body["messages"][0]["content"]
    assert (body["max_tokens"], body["logprobs"]) == (1, True)


def test_thresholds_are_applied_to_what_is_stored_and_change_nothing_there(tmp_path: Path) -> None:
    with Loopback(answer=says, logprobs=True) as server, Store(tmp_path / "a.sqlite") as store:
        plain = judge_of(server, store=store, logprobs=True)
        strict = judge_of(server, store=store, logprobs=True, thresholds={"*": 1.0})
        first = plain.judge(TASK, TASK.subgoals, transitions())
        judged = strict.judge(TASK, TASK.subgoals, transitions())
        assert server.counts["ok"] == 3
        after = plain.judge(TASK, TASK.subgoals, transitions())
        assert [j.achieved for j in after] == [j.achieved for j in first]
    assert [tuple(j.achieved.values()) for j in first] == TRUTH
    assert all(not any(j.achieved.values()) for j in judged)
