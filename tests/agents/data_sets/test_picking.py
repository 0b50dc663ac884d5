"""Rows are drawn from played steps fairly, each content once, the same again from the same seed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agents.data_sets.picking import Picker, episodes, steps
from calm.errors import CalmError
from calm.records import LabelledTransition, Subgoal, Transition
from envs.collect import play


def row(episode: int, step: int, kind: str = "", text: str = "") -> LabelledTransition:
    return LabelledTransition(
        Transition("t", {"events": text or f"{episode} {step}"}, "a", f"e{episode}", step),
        {"key": kind == "key", "door": kind == "door"},
    )


def rows() -> Iterator[LabelledTransition]:
    for e in range(9):
        for s in range(5):
            yield row(e, s, ("", "key", "key", "", "door")[s])


def test_episodes_begin_at_step_0() -> None:
    assert [len(e) for e in episodes(rows())] == [5] * 9


def test_one_an_episode_takes_each_once() -> None:
    picked = Picker(0).one_an_episode(rows(), lambda r: r.truth["key"], 7)
    assert [r.transition.episode for r in picked] == [f"e{i}" for i in range(7)]
    assert {r.transition.step for r in picked} == {1, 2}
    assert picked == Picker(0).one_an_episode(rows(), lambda r: r.truth["key"], 7)
    with pytest.raises(CalmError, match="only 9 of 10 rows"):
        Picker(0).one_an_episode(rows(), lambda r: r.truth["key"], 10)


def test_no_content_is_taken_twice() -> None:
    picker = Picker(0)
    same = [row(e, s, text="same") for e in range(3) for s in range(4)]
    assert len(picker.first_of_each(rows(), ["key"], 3)) == 3
    with pytest.raises(CalmError, match="only 1 of 2"):
        picker.sample(iter(same), 4, 2)
    again = picker.first_of_each(rows(), ["key"], 99)
    assert len(again) == 18 - 3


def test_nothing_is_drawn_from_what_achieved_nothing() -> None:
    picker = Picker(0)
    picked_rows = picker.idle(rows(), 6) + picker.idle(rows(), 6)
    assert {r.transition.step for r in picked_rows} == {0, 3}
    assert len({r.transition.id for r in picked_rows}) == 12


def test_samples_are_spread_over_episodes_and_in_order() -> None:
    picked_rows = Picker(3).sample(rows(), 2, 12)
    assert len(picked_rows) == 12
    by_episode: dict[str, list[int]] = {}
    for r in picked_rows:
        by_episode.setdefault(r.transition.episode, []).append(r.transition.step)
    assert all(len(s) == 2 and s == sorted(s) for s in by_episode.values())


def test_rows_hold_what_was_played() -> None:
    picked_rows = [
        r for r, _ in zip(steps("MiniHack-KeyRoom-S5-v0", "scripted", 5), range(4), strict=False)
    ]
    episode_steps = list(play("KeyRoom-S5", "scripted", episodes=1, seed=5))[:4]
    assert [r.transition for r in picked_rows] == [r.transition for r in episode_steps]
    assert [r.truth for r in picked_rows] == [r.truth for r in episode_steps]
    assert picked_rows[0].provenance.keys() == episode_steps[0].provenance.keys() - {"reward"}
    assert set(picked_rows[0].transition.texts) == {"screen", "crop", "events"}
    assert picked_rows[0].before is not None
    assert {"pick up the key", "open the locked door"} <= set(picked_rows[0].truth)


def test_even_draws_take_what_there_is() -> None:
    picker = Picker(0)
    all_rows = list(rows())
    first = picker.evenly(all_rows, 40)
    assert [r.transition.id for r in first] == sorted(
        {r.transition.id for r in first}, key=[r.transition.id for r in all_rows].index
    )
    assert len(picker.evenly(all_rows, 40)) == 5  # of 45
    assert picker.evenly(all_rows, 40) == []
    assert len(Picker(0).evenly([row(0, 0, text="same"), row(0, 1, text="same")], 2)) == 1


def test_idle_rows_of_different_texts() -> None:
    """Ninety-nine of a hundred read the same: the other one is drawn all the same."""
    idle = [LabelledTransition(Transition("t", {"events": "waits", "crop": str(i)}, "a", "e", i),
                               {"key": False}) for i in range(99)]  # fmt: skip
    picked = Picker(0).different_idle([*idle, row(0, 0, text="sings"), row(0, 1, "key")], 3)
    assert [r.transition.texts["events"] for r in picked] == ["waits", "sings"]


def test_near_misses_read_like_what_achieves_it() -> None:
    key = Subgoal("key", "The key is taken.")
    played = [
        row(0, 0, "key", text="The key entered the inventory."),
        row(0, 1, text="The hero moved."),
        row(0, 2, text="A wand entered the inventory."),  # 3 of 6 words in common
        row(0, 3, text="A wand entered the inventory."),
        row(0, 4, "door", text="The key is near."),  # 2 of 7
        row(0, 5, text="The key entered the inventory."),  # the same text as a hit is no miss
    ]
    picked = Picker(0).near_misses(played, key, 2)
    assert [r.transition.step for r in picked] == [2, 4]


def test_near_misses_of_what_nobody_achieves_read_like_its_definition() -> None:
    door = Subgoal("door", "A door opens.")
    played = [row(0, 0, text="The hero moved."), row(0, 1, text="A door appears.")]
    assert [r.transition.step for r in Picker(0).near_misses(played, door, 1)] == [1]
