"""The forager: apples first, then the stairs."""

from itertools import islice

from envs.collect import play


def test_it_eats_apples_and_then_goes_down() -> None:
    rows = list(islice(play("ExploreMaze-Hard-Mapped", "scripted", episodes=9, seed=5), 700))
    bites = sum(r.truth["eat the apple"] for r in rows)
    assert bites >= 5
    assert sum(r.truth["step onto the apple"] for r in rows) >= 5
    assert sum(r.truth["reach the staircase down"] for r in rows) >= 5
