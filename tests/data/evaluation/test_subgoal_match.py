"""Which given subgoal a discovered one means, by rule and by hand."""

import pytest

from calm.errors import UsageError
from calm.records import Judgement, Subgoal, Task, Verdict
from data.evaluation.subgoal_match import match, scored_tasks, translate


def _subgoals(*names: str) -> tuple[Subgoal, ...]:
    return tuple(Subgoal(name, ".") for name in names)


GIVEN = _subgoals("pick up the key", "open the door", "cross the river")
ALL_GIVEN = _subgoals(
    "pick up the key",
    "come within 8 steps of the key",
    "come within 4 steps of the key",
    "open the locked door",
    "cross the water or lava",
    "reach the staircase down",
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Pick up the key", "pick up the key"),
        ("grab key", "pick up the key"),
        ("Opening the closed door", "open the locked door"),
        ("reach the downstairs", "reach the staircase down"),
        ("go to the stairs", "reach the staircase down"),
        ("look at the door", None),  # half of the words is not more than half
        ("come within 4 steps of the key", "come within 4 steps of the key"),
        ("get across the lava", None),
        ("cross the river of lava", "cross the water or lava"),
        ("cross the river", "cross the water or lava"),
        ("pick up the key and open the door", "pick up the key"),  # the first of equals
    ],
)
def test_names_are_matched_by_their_content_words(name: str, meant: str | None) -> None:
    assert match(_subgoals(name), ALL_GIVEN).of == {name: meant}


def test_a_file_overrules_the_rule() -> None:
    by_hand = match(_subgoals("sing", "take the key"), GIVEN, {"sing": "open the door",
                                                               "take the key": None})  # fmt: skip
    assert by_hand.of == {"sing": "open the door", "take the key": None}
    assert by_hand.to_dict()["unmatched_given"] == ["pick up the key", "cross the river"]
    for overrule in ({"dance": None}, {"sing": "dance"}):
        with pytest.raises(UsageError, match=r"unknown .* subgoal 'dance'"):
            match(_subgoals("sing"), GIVEN, overrule)
    with pytest.raises(UsageError, match="did you mean 'sing'"):
        match(_subgoals("sing"), GIVEN, {"sign": None})


def test_only_what_some_discovered_one_means_is_scored() -> None:
    tasks = {"T": Task("T", "g", GIVEN), "U": Task("U", "g", GIVEN)}
    scored = scored_tasks(tasks, {"T": match(_subgoals("get the key", "sing"), GIVEN)})
    assert [s.name for s in scored["T"].subgoals] == ["pick up the key"]
    assert scored["U"] == tasks["U"]


def test_an_answer_is_yes_if_any_that_means_it_is() -> None:
    both = match(_subgoals("get the key", "take the key", "sing"), GIVEN)
    answer = Judgement(Verdict.OK, {"get the key": False, "take the key": True, "sing": True})
    assert translate(answer, both).achieved == {"pick up the key": True}
    lost = Judgement(Verdict.INVALID)
    assert translate(lost, both) is lost
