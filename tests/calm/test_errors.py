"""Errors: each kind has its exit code, and an unknown name is answered with the nearest."""

import pytest

from calm.errors import (
    BudgetError,
    CalmError,
    EndpointError,
    GameError,
    PartialError,
    StoreError,
    UsageError,
    unknown,
)

TASKS = [f"Room-S{i}" for i in range(1, 51)]


def test_every_kind_has_an_exit_code_of_its_own() -> None:
    kinds = [CalmError, UsageError, BudgetError, PartialError, EndpointError, StoreError, GameError]
    assert [kind.exit_code for kind in kinds] == [1, 2, 3, 4, 5, 6, 7]
    assert all(issubclass(kind, CalmError) for kind in kinds)


@pytest.mark.parametrize(
    ("name", "valid", "text"),
    [
        ("rule", ["rules", "replay"], "'rule': did you mean 'rules'? Valid: replay, rules"),
        ("xyz", ["rules", "replay"], "'xyz'; valid: replay, rules"),
        ("xyz", [], "'xyz'; valid: there is none"),
    ],
)
def test_an_unknown_name_lists_the_valid_ones(name: str, valid: list[str], text: str) -> None:
    assert str(unknown("judge", name, valid)) == f"unknown judge {text}"


def test_of_many_names_the_nearest_are_listed() -> None:
    text = str(unknown("task", "Room-S55", TASKS))
    assert text.startswith("unknown task 'Room-S55': did you mean 'Room-S5")
    assert "Room-S5," in text
    assert text.endswith(" and 42 more")
    assert len(text) < 200


def test_of_many_names_some_are_listed_where_none_is_near() -> None:
    text = str(unknown("task", "xyz", TASKS))
    assert text.startswith("unknown task 'xyz'; valid: Room-S1, Room-S10, ")
    assert text.endswith(" and 42 more")
