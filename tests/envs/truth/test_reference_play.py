"""Reference play counts what really happened, and is the same every time."""

import numpy as np
import pytest

from calm.errors import UsageError
from calm.records import Subgoal
from envs.tasks import task
from envs.truth.reference_play import frequencies

ROOM = task("Room-5x5")


def test_counts_every_step_once_and_no_more_yeses_than_steps() -> None:
    counts = frequencies(ROOM.id, ROOM.subgoals, envs_each=1, steps=50, seed=0)
    assert counts.count.sum() == 3 * 50
    assert len(set(counts.texts)) == len(counts.texts) == len(counts.count) == len(counts.achieved)
    assert (counts.achieved <= counts.count[:, None]).all()
    assert (counts.yes + counts.no == 150).all()


def test_achievements_belong_to_the_events_that_say_so() -> None:
    """This room's stairs are five moves away, so the scripted player finds them again and again."""
    counts = frequencies(ROOM.id, ROOM.subgoals, envs_each=1, steps=50, seed=0)
    column = [s.name for s in ROOM.subgoals].index("reach the staircase down")
    assert counts.yes[column] >= 5
    for text, yes, count in zip(
        counts.texts, counts.achieved[:, column], counts.count, strict=True
    ):
        assert yes == (count if "reached the staircase down" in text else 0)


def test_the_same_play_again_and_another_for_another_seed() -> None:
    one, same, other = (
        frequencies(ROOM.id, ROOM.subgoals, envs_each=1, steps=30, seed=s) for s in (0, 0, 1)
    )
    assert one.texts == same.texts
    assert np.array_equal(one.count, same.count)
    assert np.array_equal(one.achieved, same.achieved)
    assert (one.texts, one.count.tolist()) != (other.texts, other.count.tolist())


def test_a_subgoal_without_a_truth_is_named() -> None:
    with pytest.raises(UsageError, match="subgoal with a truth 'be happy'"):
        frequencies(ROOM.id, [Subgoal("be happy", "Smile.")], envs_each=1, steps=2, seed=0)


def test_events_are_told_in_the_version_of_the_batch_that_is_judged() -> None:
    subgoals = task("Quest-Easy").subgoals
    first, second = (
        frequencies("MiniHack-Quest-Easy-v0", subgoals, 1, 200, seed=0, descriptions=version)
        for version in (1, 2)
    )
    answers = [text for text in second.texts if ", answering" in text]
    assert answers
    assert all(text.startswith("Action: a key, answering") for text in answers)
    assert not any(text.startswith("Action: a key, answering") for text in first.texts)
    assert first.count.sum() == second.count.sum() == 3 * 200
