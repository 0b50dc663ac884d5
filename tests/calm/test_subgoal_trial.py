"""Subgoals are tried on played transitions: what nothing or everything meets is told."""

import json
from collections.abc import Mapping
from typing import Any

from calm.decompose import decompose, decompose_again
from calm.loopback import Loopback
from calm.records import Judgement, Subgoal, Task, Transition, Verdict, subgoals_hash
from calm.subgoal_trial import try_subgoals
from tests.support.loopback_judge import judge_of

TASK = Task("Room-v0", "Open the door.")
NAMES = ("take the key", "hold the key", "walk on", "fetch and carry", "wave")
SUBGOALS = tuple(Subgoal(name, f"It shows: {name}.") for name in NAMES)


def step(episode: str, number: int) -> Transition:
    return Transition(TASK.id, {"events": f"{episode} {number}"}, "move", episode, number)


def says(*names: str) -> Judgement:
    return Judgement(Verdict.OK, {name: name in names for name in NAMES})


def test_what_is_never_always_or_only_together_confirmed_is_told() -> None:
    transitions = [step("a", 0), step("a", 1), step("b", 0), step("b", 1)]
    judgements = [
        says("take the key", "hold the key", "walk on"),
        says("walk on"),
        says("walk on", "wave"),
        Judgement(Verdict.INVALID, reason="prose"),
    ]
    trial = try_subgoals(SUBGOALS, transitions, judgements, succeeded=["a"])
    assert (trial.transitions, trial.readable, trial.succeeded) == (4, 3, 1)
    assert trial.confirmed == dict(zip(NAMES, (1, 1, 3, 0, 1), strict=True))
    assert trial.never == ["fetch and carry"]
    assert trial.always == ["walk on"]
    assert trial.together == (("take the key", "hold the key"),)
    text = "\n".join(trial.warnings)
    assert "“fetch and carry” was never confirmed on 3 played transitions" in text
    assert "“wave” was not confirmed in any of 1 episodes that succeeded" in text
    assert len(trial.warnings) == 4


def test_a_good_list_is_not_warned_of_and_nothing_readable_is() -> None:
    judged = [says("take the key"), says()]
    trial = try_subgoals(SUBGOALS[:1], [step("a", 0), step("a", 1)], judged, ["a"])
    assert trial.warnings == []
    lost = try_subgoals(SUBGOALS[:1], [step("a", 0)], [Judgement(Verdict.ERROR)])
    assert lost.warnings == ["no answer about 1 played transitions could be read"]


def test_a_model_is_told_what_became_of_its_subgoals_and_both_lists_are_kept() -> None:
    def names(body: Mapping[str, Any]) -> str:
        again = "You named these subgoals before" in body["messages"][0]["content"]
        listed = ["take the key", "open the door"] if again else ["find it", "use it"]
        return json.dumps({"subgoals": [{"name": n, "definition": f"{n} now"} for n in listed]})

    with Loopback(answer=names) as server:
        judge = judge_of(server, form="statements")
        first = decompose(TASK, judge)
        nothing = Judgement(Verdict.OK, {s.name: False for s in first})
        trial = try_subgoals(first, [step("a", 0)] * 2, [nothing] * 2)
        better = decompose_again(TASK, judge, trial, ["Action: move.\nThe hero moved."])
        body = server.bodies[-1]
        assert decompose_again(TASK, judge, trial, ["Action: move.\nThe hero moved."]) == better
        assert server.counts["ok"] == 2  # the second time it came from the store
        lists = judge.store.subgoal_sets(TASK.id)
    prompt = body["messages"][0]["content"]
    assert '- "find it" was confirmed on 0 of 2 steps' in prompt
    assert "never confirmed" in prompt
    assert "The hero moved." in prompt
    assert body["max_tokens"] == 1024  # not what the form of a judgement asks for
    assert [s.name for s in better] == ["take the key", "open the door"]
    assert set(lists) == {subgoals_hash(first), subgoals_hash(better)}
