"""Subgoals of a model's own get the line of a description that tells of them."""

import json
from math import log

import pytest

from calm.errors import CalmError, UsageError
from calm.loopback import Loopback
from calm.loopback.answers import prompt_of
from calm.loopback.faults import Wire, completion
from calm.records import Subgoal, Task, Transition
from calm.statements import landmark_lines, state_subgoals
from calm.store.store import Store
from tests.support.loopback_judge import judge_of

TASK = Task("Room-v0", "Leave the room.")
KEY, DOOR = Subgoal("Take it", "The key is taken."), Subgoal("Leave", "The door is passed.")


def play(episode: str, *steps: str) -> list[Transition]:
    return [Transition(TASK.id, {"events": s}, "", episode, i) for i, s in enumerate(steps)]


def test_a_landmark_comes_once_an_episode_and_in_most_that_succeed() -> None:
    transitions = [
        *play("a", "Moved.", "Moved.\nKey taken.", "Moved.\nDoor passed (before: shut)."),
        *play("b", "Moved.", "Moved.", "Moved.\nA bat came.", "Moved.\nDoor passed."),
        *play("c", "Moved.\nKey taken.", "Moved.", "Fell."),
        *play("d", "Moved.\nKey taken.", "Key taken.\nMoved."),
    ]
    # Of two that succeed one has the key and the bat, both have the door, and none falls.
    assert landmark_lines(transitions, {"a", "b"}) == ("Key taken.", "Door passed.", "A bat came.")
    assert landmark_lines(transitions, {"a", "b", "c"}) == ("Key taken.", "Door passed.")
    # Where nobody succeeds: all but what comes again and again (5 keys in 3 episodes are 1.67).
    more = [*transitions, *play("d", "Key taken.")]
    assert landmark_lines(more) == ("Door passed.", "A bat came.", "Fell.")
    assert "Moved." not in landmark_lines(transitions, {"a", "b"})
    assert "Moved." in landmark_lines(transitions, {"a", "b"}, times=100)


ODDS = {
    ("the hero took it", "The key is in."): 0.60,
    ("the hero took it", "The door is shut."): 0.62,
    ("the hero left", "The key is in."): 0.10,
    ("the hero left", "The door is shut."): 0.40,
}
"""How likely a line says a clause: of itself the door would be taken for the key."""


class Unsure(Loopback):
    """Says in one clause what a subgoal means, and of a line how likely it says so."""

    def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
        body = json.loads(content)
        prompt = prompt_of(body)
        tokens = None
        said = "The hero took it." if "Take it" in prompt else '"The hero left."'
        if "<line>" in prompt:
            self.counts["line"] += 1
            (p,) = (p for (clause, line), p in ODDS.items() if clause in prompt and line in prompt)
            top = [{"token": word, "logprob": log(q)} for word, q in (("yes", p), ("no", 1 - p))]
            tokens = {"content": [{**top[0], "top_logprobs": top}]}
            said = "yes"
        value = completion(said, prompt=prompt, model="m", logprobs=tokens)
        return Wire(body=json.dumps(value).encode())


def test_a_line_is_of_the_subgoal_that_it_says_rather_than_another() -> None:
    lines = ["The key is in.", "The door is shut."]
    with Unsure() as server, Store(":memory:") as store:
        judge = judge_of(server, form="lines", store=store)
        key, door = state_subgoals(TASK, judge, [KEY, DOOR], lines)
        # 0.60 - 0.10 against 0.62 - 0.40, so the likelier line is not the one that is meant.
        assert key.subgoal.statements == ("the key is in",)
        assert door.subgoal.statements == ("the door is shut",)
        assert (key.clause, door.clause) == ("the hero took it", "the hero left")
        assert key.odds == pytest.approx({"The key is in.": 0.60, "The door is shut.": 0.62})
        assert server.counts["line"] == 4
        again = state_subgoals(TASK, judge, [KEY, DOOR], lines)
        assert [one.subgoal.statements for one in again] == [
            ("the key is in",),
            ("the door is shut",),
        ]
        assert server.counts["line"] == 4  # from the store
        (none, _) = state_subgoals(TASK, judge, [KEY, DOOR], [])
        assert none.subgoal.statements == ("the hero took it",)


def test_a_judge_that_asks_no_lines_and_a_clause_that_is_none_are_told() -> None:
    with Loopback(answer=lambda body: "It\nis\nlong.") as server:
        with pytest.raises(UsageError, match="--form lines"):
            state_subgoals(TASK, judge_of(server), [KEY], ["A line."])
        with pytest.raises(CalmError, match=r"'Take it' means in 3 answers.*one clause"):
            state_subgoals(TASK, judge_of(server, form="lines"), [KEY], ["A line."])
