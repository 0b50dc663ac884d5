"""Prompt options: each takes out what it names, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from calm.asking.prompt import JudgePrompt
from calm.errors import UsageError
from calm.records import Judgement, LabelledTransition, Subgoal, Task, Transition, Verdict
from data.evaluation.answers import Contestant, ask
from data.evaluation.prompt_variants import (
    NO_ROLE_TEMPLATE,
    parse,
    reword_task,
    reworded,
    title,
    variants,
)
from tests.support.scripted_judge import Scripted

EVENTS = 'Action: pick up.\nMessage: "g - a key."\nThe key entered the inventory.'
SCREEN = """Action: move east.

Before:
Message: "Hello "you"."
|@.|
 -+

After:
No message.
|.@|
 -+

The inventory did not change."""
TASK = Task("room", "Take the key.", (Subgoal("key", "It is taken."),), legend="+  door")


def test_message_and_action_go_alone() -> None:
    assert reworded(EVENTS, {}) == EVENTS
    assert reworded(EVENTS, {"message": "off"}) == (
        "Action: pick up.\nThe key entered the inventory."
    )
    assert reworded(EVENTS, {"action": "off"}) == EVENTS.partition("\n")[2]
    both = reworded(SCREEN, {"message": "off", "action": "off"})
    assert both == "Before:\n|@.|\n -+\n\nAfter:\n|.@|\n -+\n\nThe inventory did not change."


def test_spacing_touches_the_maps_only() -> None:
    assert reworded(SCREEN, {"spacing": "on"}) == (
        SCREEN.replace("|@.|\n -+", "| @ . |\n  - +").replace("|.@|\n -+", "| . @ |\n  - +")
    )
    assert reworded(EVENTS, {"spacing": "on"}) == EVENTS


def test_crossing() -> None:
    assert variants({}, []) == [{}]
    assert [title(v) for v in variants({}, ["message", "goal"])] == [
        "",
        "message=off",
        "goal=win",
        "goal=win message=off",
    ]
    assert [title(v) for v in variants({"legend": "off"}, ["role"])] == [
        "legend=off",
        "role=off legend=off",
    ]
    assert len(variants({}, ["all"])) == 2**6  # all but the form of the question


def test_wrong_options_name_the_right_ones() -> None:
    assert parse(["goal=win", "role=on"]) == {"goal": "win", "role": "on"}
    for pairs, reason in [
        (["gaol=win"], "unknown prompt option 'gaol': did you mean 'goal'"),
        (["goal=lose"], "unknown level of goal 'lose'"),
        (["goal"], "unknown level of goal ''"),
    ]:
        with pytest.raises(UsageError, match=reason):
            parse(pairs)
    with pytest.raises(UsageError, match="unknown prompt option 'x'"):
        variants({}, ["x"])
    with pytest.raises(UsageError, match="both fixed"):
        variants({"role": "off"}, ["role"])


def test_a_judge_is_asked_in_the_other_wording() -> None:
    read: list[str] = []

    def note(subgoals: Sequence[Subgoal], transition: Transition) -> Judgement:
        read.append(transition.texts["events"])
        return Judgement(Verdict.OK, {"key": True})

    judge = Scripted("m", note)
    variant = {"goal": "win", "action": "off"}
    transition = Transition(TASK.id, {"events": EVENTS, "screen": SCREEN}, "pick up")
    row = LabelledTransition(transition, {"key": True})
    answers = ask(Contestant(judge, variant), [row], {TASK.id: TASK}, {})
    assert answers.raw[0][0].achieved == {"key": True}
    assert (answers.judge, answers.mode, answers.variant) == ("m", "events", "goal=win action=off")
    assert read == [reworded(EVENTS, {"action": "off"})]
    assert reword_task(TASK, variant).goal == "Win the game."


def test_the_templates_differ_in_the_role_alone() -> None:
    plain = JudgePrompt(TASK, TASK.subgoals, "screen").render([SCREEN])
    without = JudgePrompt(TASK, TASK.subgoals, "screen", NO_ROLE_TEMPLATE).render([SCREEN])
    assert plain.splitlines()[0].startswith("You judge")
    assert "You judge" not in without
    assert plain.splitlines()[1:] == without.splitlines()[1:]
