"""The given subgoals by name: what their names, definitions and clauses say."""

from envs.subgoals import APPROACHES, DEEDS, STATEMENTS, SUBGOALS, Approach


def test_an_approach_is_read_off_its_name() -> None:
    assert APPROACHES["find the key"] == Approach("key", None)
    assert APPROACHES["come within 4 steps of a boulder"] == Approach("boulder", 4)
    assert APPROACHES["stand next to the locked door with the key"] == Approach(
        "closed door", 1, "key"
    )


def test_a_definition_says_what_holds_after_the_step_and_not_before() -> None:
    assert SUBGOALS["stand next to the locked door with the key"].definition == (
        "After the step the locked door (seen as a closed door) is next to the hero, 1 step away,"
        " and the hero carries the key; before the step one of the two was not so."
    )


def test_every_subgoal_has_a_definition_and_clauses() -> None:
    assert set(SUBGOALS) == {*APPROACHES, *DEEDS}
    assert set(STATEMENTS) == set(DEEDS)
    for name, subgoal in SUBGOALS.items():
        assert subgoal.name == name
        assert subgoal.definition.endswith(".")
        assert subgoal.statements
    with_key = SUBGOALS["find the locked door with the key"].statements
    assert with_key[0] == "the hero carries the key"
