"""What an owner and its askers say to each other comes through whole."""

from calm.owned.wire import read_subgoals, subgoals_value
from calm.records import Subgoal


def test_subgoals_come_through_with_all_that_they_hold() -> None:
    subgoals = (Subgoal("go", "It goes."), Subgoal("kill a rat", "It dies.", ("it died",), 6))
    read = read_subgoals(subgoals_value(subgoals))
    assert [(s.name, s.definition, s.statements, s.times) for s in read] == [
        ("go", "It goes.", (), 1),
        ("kill a rat", "It dies.", ("it died",), 6),
    ]
