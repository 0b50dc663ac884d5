"""The engine as what judges are scored against: arrays, counts by episode, worked by hand."""

import numpy as np
import pytest

from calm.errors import UsageError
from calm.records import LabelledTransition, Subgoal, Task, Transition
from data.scoring.reference import any_of, engine_reference, was_asked

ROOM = Task("room", "Out.", (Subgoal("key", "."), Subgoal("door", ".")))
KITCHEN = Task("kitchen", "Eat.", (Subgoal("eat", "."),))
TASKS = {task.id: task for task in (ROOM, KITCHEN)}


def _row(task: Task, episode: str, *achieved: str) -> LabelledTransition:
    truth = {s.name: s.name in achieved for s in task.subgoals}
    return LabelledTransition(Transition(task.id, {"events": ""}, "wait", episode), truth)


ROWS = [
    _row(ROOM, "b", "key"), _row(ROOM, "a"), _row(ROOM, "b", "key", "door"), _row(KITCHEN, "a"),
]  # fmt: skip


def test_truth_classes_and_episodes() -> None:
    reference = engine_reference(ROWS, TASKS)
    assert reference.names == ("key", "door", "eat")
    assert reference.truth.tolist() == [[1, 0, -2], [0, 0, -2], [1, 1, -2], [-2, -2, 0]]
    assert reference.kinds == ("key", "none", "key + door", "none")
    # Episodes by name: kitchen/a, room/a, room/b.
    assert reference.clusters.tolist() == [2, 1, 2, 0]
    assert (reference.episodes, reference.natural_rate) == (3, 0.5)
    assert reference.any.tolist() == [1, 0, 1, 0]


def test_counts_are_by_episode_and_leave_out_what_was_not_asked() -> None:
    reference = engine_reference(ROWS, TASKS)
    answers = np.array([[1, 0, -2], [-1, -1, -2], [0, 1, -2], [-2, -2, -2]], dtype=np.int8)
    counts = reference.counts(answers)
    assert counts.shape == (3, 4, 2, 3)
    # Any subgoal: room/a is unreadable, room/b twice right, the kitchen was not asked about.
    assert counts[:, 0].tolist() == [
        [[0, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 2, 0]],
    ]  # fmt: skip
    assert counts[2, 1].tolist() == [[0, 0, 0], [1, 1, 0]]  # the key: missed once
    assert reference.right(answers).tolist() == [True, False, False, False]
    assert reference.exact_counts(answers)[2].tolist() == [[0, 0, 0], [1, 1, 0]]


def test_resamples_are_the_same_for_all_who_are_compared() -> None:
    reference = engine_reference(ROWS, TASKS)
    yes = np.where(reference.truth == -2, -2, 1).astype(np.int8)
    one, two = (reference.resampled(yes, 7, seed) for seed in (3, 3))
    assert one.shape == (7, 4, 2, 3)
    assert one.tolist() == two.tolist()
    assert one[:, 0].tolist() == reference.resampled_any(yes, 7, 3).tolist()
    assert one[:, 0].sum((1, 2)).max() <= 2 * 3  # at most the episode of two rows thrice


def test_what_all_subgoals_say_together() -> None:
    answers = np.array([[1, -1], [0, -1], [-1, -1], [-2, -2], [-2, 0]], dtype=np.int8)
    assert any_of(answers).tolist() == [1, 0, -1, -2, 0]
    assert was_asked(answers).tolist() == [True, True, True, False, True]


@pytest.mark.parametrize(
    ("rows", "tasks", "reason"),
    [
        ([], TASKS, "no transitions to evaluate on"),
        (ROWS, {"room": ROOM}, "no subgoals are given for task 'kitchen'"),
        (
            [LabelledTransition(ROWS[0].transition, {"key": True})],
            TASKS,
            "episode 'b' step 0 has no truth for door",
        ),
    ],
)
def test_what_cannot_be_a_reference_is_refused(
    rows: list[LabelledTransition], tasks: dict[str, Task], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        engine_reference(rows, tasks)
