"""What a model names and how well it judges are told apart, with numbers worked by hand."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from agents.demo.judging import judge_transitions
from calm.judges import make_judge
from calm.judges.protocol import Immediate
from calm.loopback import Loopback
from calm.records import Judgement, LabelledTransition, Mode, Subgoal, Task, Transition, Verdict
from calm.store.store import Store

TASK = Task(
    "room",
    "Leave.",
    tuple(
        Subgoal(name, f"The hero does: {name}.")
        for name in ("pick up the key", "open the door", "stand next to the key")
    ),
)
# Named: one that means a given one, and one that the truth knows nothing of.
NAMED = (Subgoal("take the key", "It is taken."), Subgoal("sing a song", "It is sung."))


def row(i: int, *achieved: str) -> LabelledTransition:
    return LabelledTransition(
        Transition("room", {"events": f"step {i}"}, "wait", f"e{i}", 0),
        {s.name: s.name in achieved for s in TASK.subgoals},
    )


# 2 keys, 3 doors, 3 times near the key, 2 with nothing.
ROWS = [
    *(row(i, "pick up the key") for i in range(2)),
    *(row(i, "open the door") for i in range(2, 5)),
    *(row(i, "stand next to the key") for i in range(5, 8)),
    *(row(i) for i in range(8, 10)),
]


class Model(Immediate):
    """Says yes to what the texts in `yes` are named for, and sings all the time."""

    name = "openai:any"
    mode: Mode = "events"

    def __init__(self, yes: Sequence[int], names: Sequence[Subgoal] = NAMED) -> None:
        self.yes = {f"step {i}" for i in yes}
        self.names = names

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        assert tuple(subgoals) == tuple(self.names)
        return [
            Judgement(
                Verdict.OK,
                {
                    s.name: s.name == "sing a song" or t.texts["events"] in self.yes
                    for s in subgoals
                },
            )
            for t in transitions
        ]


def lines_of(judge: Model, named: Sequence[Subgoal]) -> tuple[str, object]:
    console = Console(file=io.StringIO(), width=120)
    judging = judge_transitions(judge, TASK, named, ROWS, 0, console)
    return console.file.getvalue(), judging  # type: ignore[attr-defined]


def test_a_model_is_scored_on_what_it_named_and_not_on_what_it_never_named() -> None:
    text, judging = lines_of(Model([0, 1]), NAMED)
    score = judging.scores[0]  # type: ignore[attr-defined]
    assert score.metrics["recall"].value == 1.0  # both keys; doors were not asked about
    assert score.metrics["precision"].value == 1.0  # singing has no truth, so it is no false alarm
    assert list(score.subgoals) == ["pick up the key"]
    assert judging.subgoal_table().rows[0][:2] == ["pick up the key", 2]  # type: ignore[attr-defined]
    assert "It named 2 subgoals" in text
    assert "take the key (for pick up the key)" in text
    assert "the engine's truth has no such: sing a song" in text
    assert "Never named, so not asked about and not scored: open the door, stand next" in text
    assert "Any subgoal that it named" in text


def test_what_it_gets_wrong_of_what_it_named_is_counted() -> None:
    _, judging = lines_of(Model([0, 9]), NAMED)
    score = judging.scores[0]  # type: ignore[attr-defined]
    assert score.metrics["recall"].value == 0.5  # one of two keys
    assert score.metrics["precision"].value == 0.5  # one of two yeses
    always = judging.scores[1]  # type: ignore[attr-defined]
    assert always.judge == "always-yes"
    assert always.metrics["precision"].value == pytest.approx(0.2)  # 2 keys of 10


def test_a_model_that_names_nothing_with_a_truth_is_not_scored() -> None:
    text, judging = lines_of(Model([], NAMED[1:]), NAMED[1:])
    assert judging.scores == []  # type: ignore[attr-defined]
    assert judging.evaluation["scores"] == []  # type: ignore[attr-defined]
    assert "so it is not scored" in text


def test_the_given_subgoals_are_all_asked_about_and_nothing_is_said_of_naming() -> None:
    text, judging = lines_of(Model([0], TASK.subgoals), TASK.subgoals)
    assert judging.match is None  # type: ignore[attr-defined]
    assert "named" not in text
    assert len(judging.subgoal_table().rows) == 3  # type: ignore[attr-defined]


def test_a_model_that_is_asked_about_lines_is_heard_in_its_own_words() -> None:
    """Yes to "step 0" and picking up the key alone."""

    def answer(body: dict) -> str:
        prompt = body["messages"][-1]["content"]
        return "Yes" if "step 0\n" in prompt and "pick up the key?" in prompt else "No"

    with Loopback(answer=answer) as server, Store() as store:
        judge = make_judge("openai:m", base_url=server.url, store=store, form="lines")
        console = Console(file=io.StringIO(), width=120)
        judging = judge_transitions(judge, TASK, TASK.subgoals, ROWS, 0, console)
        assert server.requests == len(ROWS) * len(TASK.subgoals)
    assert judging.meanings == {s.name: s.name for s in TASK.subgoals}
    first, second = (judging.answers[r.transition.id] for r in ROWS[:2])
    assert first.achieved["pick up the key"]
    assert "pick up the key: Yes" in first.raw
    assert not any(second.achieved.values())
    assert "<line>\nstep 0\n</line>\n\nDoes this line say that" in judging.prompt


def test_what_a_name_of_its_own_means_is_known() -> None:
    _, judging = lines_of(Model([0]), NAMED)
    assert judging.meanings == {  # type: ignore[attr-defined]
        "take the key": "pick up the key",
        "sing a song": None,
    }
    assert judging.prompt == ""  # type: ignore[attr-defined]
