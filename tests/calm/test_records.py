"""Records: identity by content, usage adds up, unreadable is never no."""

import pytest

from calm.records import Judgement, Subgoal, Transition, Usage, Verdict, subgoals_hash

KEY = Subgoal("pick up the key", "The hero picks up the key.")
DOOR = Subgoal("open the door", "The hero opens the door.")


def transition(**changes: object) -> Transition:
    fields: dict = {"task": "T", "texts": {"events": "Action: move."}, "action": "move"}
    return Transition(**(fields | changes))


def test_a_transitions_id_is_its_content() -> None:
    assert transition().id == transition(episode="7", step=3).id
    ids = {
        transition(**c).id
        for c in (
            {},
            {"task": "U"},
            {"texts": {"events": "x"}},
            {"action": "apply"},
            {"terminated": True},
            {"truncated": True},
        )
    }
    assert len(ids) == 6


def test_subgoals_are_named_by_content_and_order() -> None:
    assert subgoals_hash([KEY, DOOR]) == subgoals_hash((KEY, DOOR))
    assert subgoals_hash([KEY, DOOR]) != subgoals_hash([DOOR, KEY])


def test_usage_adds_and_an_unknown_price_stays_unknown() -> None:
    total = Usage(1, 20, 5, 3, 0.5, 0.25) + Usage(2, 30, 0, 7, 1.5, 0.5)
    assert total == Usage(3, 50, 5, 10, 2.0, 0.75)
    assert (total + Usage(cost=None)).cost is None


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_a_readable_judgement_says_yes_or_no(verdict: Verdict) -> None:
    achieved = {KEY.name: True, DOOR.name: False}
    if verdict.readable:
        assert Judgement(verdict, achieved).row([DOOR, KEY]) == [0, 1]
        with pytest.raises(ValueError, match="must say"):
            Judgement(verdict)
    else:
        assert Judgement(verdict).row([DOOR, KEY]) == [-1, -1]
        with pytest.raises(ValueError, match="must not say"):
            Judgement(verdict, achieved)
