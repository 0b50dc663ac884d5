"""Judges that read nothing: always the same, or by chance."""

from calm.annotation.live import Annotator
from calm.judges import make_judge
from calm.records import Task, Transition


def test_always_says_the_same(task: Task, transitions: list[Transition]) -> None:
    yes = make_judge("always-yes").judge(task, task.subgoals, transitions)
    no = make_judge("always-no").judge(task, task.subgoals, transitions)
    assert [j.row(task.subgoals) for j in yes] == [[1, 1]] * 12
    assert [j.row(task.subgoals) for j in no] == [[0, 0]] * 12


def test_random_is_the_same_for_the_same_text_and_has_its_rate(task: Task) -> None:
    many = [Transition("T", {"events": f"event {i}"}, "") for i in range(4000)]
    rows = [
        j.row(task.subgoals) for j in make_judge("random:0.25").judge(task, task.subgoals, many)
    ]
    assert 0.23 < sum(map(sum, rows)) / 8000 < 0.27
    backwards = make_judge("random:0.25").judge(task, task.subgoals, many[::-1])
    assert [j.row(task.subgoals) for j in backwards] == rows[::-1]
    other = make_judge("random:0.25", seed=1).judge(task, task.subgoals, many)
    assert [j.row(task.subgoals) for j in other] != rows


def test_random_tells_transitions_apart_that_read_the_same(task: Task) -> None:
    steps = [Transition("T", {"events": "north", "screen": str(i)}, "") for i in range(2000)]
    rows = [j.row(task.subgoals) for j in make_judge("random").judge(task, task.subgoals, steps)]
    assert 0.47 < sum(map(sum, rows)) / 4000 < 0.53
    assert (
        make_judge("random").judge(task, task.subgoals, steps[7:8])[0].row(task.subgoals) == rows[7]
    )


def test_random_answers_a_text_alone_as_often_as_asked_the_same(task: Task) -> None:
    annotator = Annotator(make_judge("random"), task)
    first = annotator.judge_texts(["a", "b", "c", "d", "e"])
    again = Annotator(make_judge("random"), task).judge_texts(["e", "d", "c", "b", "a"])
    assert again[::-1].tolist() == first.tolist()
