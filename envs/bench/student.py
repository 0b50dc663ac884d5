"""Measures a student judge: how many questions it saves, and how far its own answers agree.

A task is played at random; the different texts are judged in the order in which they came, by the
other judge alone and by students of it that are to agree in several shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from calm.bench.harness import Row, Say, machine, row
from calm.judges.protocol import Immediate, Judge
from calm.judges.student import StudentJudge
from calm.records import Judgement, Mode, Subgoal, Task, Transition
from envs.events.stream import EventStream
from envs.implementations import make_event_stream
from envs.stepping.batch import Batch
from envs.tasks import environment_of
from envs.tasks import task as find_task

TASKS = ("Quest-Easy", "WoD-Medium-Full", "Eat")
AGREEMENTS = (0.9, 0.95, 0.98, 0.99)
ENVS = 32
"""Environments stepped together."""
BLOCK = 50
"""Texts judged between two words of how far it is."""


def run(
    tasks: Sequence[str],
    judge: Judge,
    steps: int,
    most_texts: int,
    say: Say,
    agreements: Sequence[float] = AGREEMENTS,
) -> Mapping[str, Any]:
    """Has texts of random play judged by a judge, and by its students.

    Args:
        tasks: ids or files, with subgoals that the judge can judge.
        judge: that is learned from; asked about every text, since its answers are the measure.
        steps: random ones of each task.
        most_texts: different texts of a task; later ones are left out.
        say: shows what is being done.
        agreements: that students are to reach.

    Returns:
        {"bench", "machine", "rows", "ratios"}; of each task and agreement the share of the texts
        that were asked, and of those that were not the share about which both said the same of
        every subgoal (1 without any). "yes" are the texts of which the judge said that they achieve
        something, "own_yes" those of them that were not asked. Ratios are texts over questions:
        the geometric mean over the tasks.
    """
    rows: list[Row] = []
    saved: dict[str, list[float]] = {}
    for name in tasks:
        task = find_task(name)
        say(f"{task.id}: {steps:,} random steps")
        texts = played_texts(name, steps)[:most_texts]
        transitions = [Transition(task.id, {judge.mode: text}, "") for text in texts]
        answers = _answers(judge, task, transitions, say)
        for agreement in agreements:
            say(f"{task.id}: a student that is to agree in {agreement:g}")
            label = f"student@{agreement:g}"
            questions, shares = _examine(judge, task, transitions, answers, agreement, label)
            rows += shares
            saved.setdefault(label, []).append(len(texts) / questions)
    ratios = {name: float(np.exp(np.mean(np.log(many)))) for name, many in saved.items()}
    return {"bench": "student", "machine": machine(), "rows": rows, "ratios": ratios}


def _answers(
    judge: Judge, task: Task, transitions: Sequence[Transition], say: Say
) -> list[Judgement]:
    """Returns what a judge says of each transition, and says how far it is."""
    answers: list[Judgement] = []
    while len(answers) < len(transitions):
        say(f"{task.id}: {judge.name} has judged {len(answers):,} of {len(transitions):,} texts")
        answers += judge.judge(task, task.subgoals, transitions[len(answers) :][:BLOCK])
    return answers


def _examine(
    judge: Judge,
    task: Task,
    transitions: Sequence[Transition],
    answers: Sequence[Judgement],
    agreement: float,
    label: str,
) -> tuple[int, list[Row]]:
    """Lets a student judge transitions with different texts.

    Args:
        judge: whom it learns from.
        task: with subgoals.
        transitions: in the order in which they came.
        answers: of the judge, about each of them.
        agreement: that the student is to reach.
        label: of the student, for the rows.

    Returns:
        How many transitions the judge was asked about; and the rows that `run` describes.
    """
    texts = [t.texts[judge.mode] for t in transitions]
    known = _Known(judge.name, judge.mode, dict(zip(texts, answers, strict=True)))
    student = StudentJudge(known, agreement)
    judged = student.judge(task, task.subgoals, transitions)
    own = [(a, b) for a, b in zip(judged, answers, strict=True) if a is not b]
    questions = len(texts) - len(own)
    about = {
        "task": task.id,
        "texts": len(texts),
        "yes": sum(any(answer.achieved.values()) for answer in answers),
        "own_yes": sum(any(theirs.achieved.values()) for _, theirs in own),
        "audited": student.studied(task, task.subgoals).agreement,
    }
    share = float(np.mean([a.achieved == b.achieved for a, b in own])) if own else 1.0
    return questions, [
        row(f"{label}: asked", "share of the texts", [questions / len(texts)], **about),
        row(f"{label}: agrees", "share of its own", [share], **about),
    ]


class _Known(Immediate):
    """Answers as a judge has answered."""

    def __init__(self, name: str, mode: Mode, answers: Mapping[str, Judgement]) -> None:
        self.name, self.mode, self._answers = name, mode, answers

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in the same order."""
        return [self._answers[t.texts[self.mode]] for t in transitions]


def played_texts(name: str, steps: int, seed: int = 0) -> list[str]:
    """Returns the different `events` texts of random play, in the order in which they came.

    Args:
        name: id, short or whole, or file of a task.
        steps: over all environments, rounded up to whole steps of ENVS.
        seed: of levels and actions.
    """
    environment, options = environment_of(find_task(name))
    rng = np.random.default_rng(seed)
    with Batch(
        environment, ENVS, EventStream.keys, penalty=False, seed=seed, options=options
    ) as batch:
        stream = make_event_stream(environment, batch)
        batch.observers.append(stream)
        batch.reset()
        for _ in range(-(-steps // ENVS)):
            batch.step(rng.integers(batch.n_actions, size=ENVS))
        return list(stream.texts)
