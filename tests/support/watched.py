"""A store, a set and labels that a page watches: three steps, a key and a door."""

from __future__ import annotations

import json
from pathlib import Path

from calm.asking.prompt import JudgePrompt
from calm.endpoint.envelope import Call, Reply
from calm.records import LabelledTransition, Subgoal, Task, Transition, Usage, Verdict
from calm.store.question import Context, Question, Reading
from calm.store.store import Store
from data.label.store import LabelStore
from data.parquet import write_transitions
from data.schema import Label

NAMES = ("take the key", "open the door")
TASK = Task("KeyAndDoor", "Leave by the door.", tuple(Subgoal(n, f"The hero {n}s.") for n in NAMES))
EVIL = "<img src=x onerror=alert(1)>\x1b[31m"
TEXTS = ("The key was taken.", "The door opened.", f"Nothing. {EVIL}")
TRUTHS = (
    {NAMES[0]: True, NAMES[1]: False},
    {NAMES[0]: False, NAMES[1]: True},
    dict.fromkeys(NAMES, False),
)


def context_of(model: str = "small", task: Task = TASK) -> Context:
    """The context of questions about the task, with the prompt's own hash."""
    prompt = JudgePrompt(task, task.subgoals)
    return Context(
        task.id, task.subgoals, model, "events", prompt.template, prompt.hash, {"max_tokens": 9}
    )


def answer(
    store: Store,
    context: Context,
    text: str,
    achieved: tuple[int, ...],
    verdict: Verdict = Verdict.OK,
    started: float = 1_700_000_000.0,
) -> None:
    """Stores an answer about a text, as it is stored when a model has given it."""
    said = json.dumps(
        dict(zip((s.name for s in context.subgoals), map(bool, achieved), strict=False))
    )
    raw = said if achieved else f"I can't say. {EVIL}"
    call = Call(started, 0.5, reply=Reply(raw, "stop", usage=Usage(1, 100, 0, 7)), cost=0.001)
    question = Question(context.key(text), text)
    store.record(context, "http://e/v1", call, [question])
    confidence = tuple(0.9 if yes else 0.1 for yes in achieved) or None
    store.store_verdicts([Reading(question.key, verdict, achieved, confidence, "")])


def write_store(path: Path) -> None:
    """Writes two models' answers about the steps: `small` misses the door, and once says prose."""
    with Store(path) as store:
        answer(store, context_of(), TEXTS[0], (1, 0))
        answer(store, context_of(), TEXTS[1], (0, 0))
        answer(store, context_of(), TEXTS[2], (), Verdict.INVALID)
        for text, truth in zip(TEXTS, TRUTHS, strict=True):
            answer(store, context_of("large"), text, tuple(int(truth[n]) for n in NAMES))


def rows() -> list[LabelledTransition]:
    """The three steps with the engine's truth."""
    return [
        LabelledTransition(Transition(TASK.id, {"events": text}, "wait", f"e{i}", i), truth)
        for i, (text, truth) in enumerate(zip(TEXTS, TRUTHS, strict=True))
    ]


def write_set(path: Path) -> None:
    """Writes the three steps as a set."""
    write_transitions(path, rows(), {TASK.id: TASK})


def write_people(path: Path) -> None:
    """Writes labels of two people: both deny that the key was taken, one is unsure of the door."""
    first, second, _ = rows()
    with LabelStore(path) as store:
        for n, who in enumerate(("ann", "bob")):
            store.add(Label(first.transition.id, who, (), NAMES), f"a{n}")
        store.add(Label(second.transition.id, "ann", (NAMES[1],), NAMES), "b")
        store.add(Label(second.transition.id, "bob", (), NAMES, unsure=True), "c")
