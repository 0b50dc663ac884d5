"""An answer's key: what it depends on, and that it is the one of earlier releases."""

from dataclasses import replace

import pytest

from calm.records import Subgoal
from calm.store.question import Context

CONTEXT = Context(
    "T", (Subgoal("a", "A."),), "m", "events", "judge-v1", "0" * 64, {"temperature": 0}
)


def test_keys_are_those_under_which_answers_were_bought() -> None:
    """Another value here would lose every stored answer."""
    assert CONTEXT.hash[:32] == "5b6aa13d0782cbccf65ccce8d6427d09"
    assert CONTEXT.key("text", 2).hex()[:32] == "f5a523ad3c540bc5d420a1ed5231f8ff"


@pytest.mark.parametrize(
    "other",
    [
        {"task": "U"}, {"model": "n"}, {"mode": "crop"}, {"prompt": "1" * 64},
        {"kind": "decompose"}, {"params": {"temperature": 0.7}},
        {"subgoals": (Subgoal("a", "B."),)},
    ],
)  # fmt: skip
def test_each_part_makes_another_key(other: dict[str, object]) -> None:
    assert replace(CONTEXT, **other).key("x") != CONTEXT.key("x")  # type: ignore[arg-type]


def test_neither_the_template_s_name_nor_the_order_of_parameters_does() -> None:
    params = {"top_p": 1, "temperature": 0}
    one = replace(CONTEXT, params=params)
    two = replace(CONTEXT, params=dict(reversed(params.items())), template="judge-v9")
    assert one.key("x") == two.key("x")
    assert len({one.key("x"), one.key("x", 1), one.key("y")}) == 3
