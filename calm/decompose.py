"""Asks a model which subgoals lead to a task's goal; the answers are stored like judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from calm.asking.parse import Unreadable, read_answer_object
from calm.asking.prompt import (
    DECOMPOSE_AGAIN_TEMPLATE,
    DECOMPOSE_TEMPLATE,
    decompose_again_prompt,
    decompose_prompt,
)
from calm.endpoint.envelope import Reply
from calm.errors import UsageError
from calm.judges import asks_model, make_judge, teacher_of
from calm.judges.protocol import Judge, RemoteJudge
from calm.open_question import OpenQuestion, first_usable
from calm.records import Subgoal, Task
from calm.store.store import Store
from calm.subgoal_trial import SubgoalTrial
from calm.subgoals import LEAST, MOST, check_subgoals

_SCHEMA = {
    "type": "object",
    "properties": {
        "subgoals": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "definition": {"type": "string"}},
                "required": ["name", "definition"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["subgoals"],
    "additionalProperties": False,
}


def name_subgoals(
    task: Task,
    spec: str,
    store: Store,
    *,
    base_url: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Subgoal, ...]:
    """Returns a task's subgoals as the model of a spec names them, and keeps them in a store.

    Args:
        spec: local:MODEL, openai:MODEL, or rules for the task's given subgoals.
        base_url: the endpoint of `openai`; None for `OPENAI_BASE_URL` or OpenAI's own.
        options: how a model is asked, see `calm.judges.make_judge`.

    Raises:
        UsageError: the spec names no subgoals, or the task has none given.
        CalmError: no answer was usable.
    """
    judge = make_judge(
        teacher_of(spec),
        store=store,
        base_url=base_url,
        **(options or {} if asks_model(spec) else {}),
    )
    if isinstance(judge, RemoteJudge):
        with closing(judge):
            subgoals = decompose(task, judge, store)
    elif teacher_of(spec) == "rules":
        subgoals = decompose(task, judge, store)
    else:
        raise UsageError(
            f"{spec} names no subgoals: --judge takes local:MODEL, openai:MODEL or rules"
        )
    store.keep_subgoals(task.id, subgoals, spec)
    return subgoals


def decompose(
    task: Task, judge: Judge, store: Store | None = None, *, tries: int = 3
) -> tuple[Subgoal, ...]:
    """Returns a task's subgoals as a model names them, in their usual order; asked once.

    A judge that is no model (rules, replay, trivial) gets the task's given subgoals.

    Args:
        store: None for the judge's own.
        tries: answers asked for before giving up, each a new sample.

    Raises:
        UsageError: a judge without a model has no given subgoals.
        CalmError: no answer was usable.
    """
    if not isinstance(judge, RemoteJudge):
        if not task.subgoals:
            raise UsageError(
                f"{task.id} has no given subgoals and {judge.name} can't name any:"
                " use a model (local:MODEL, openai:MODEL) or a file (--subgoals FILE)"
            )
        return task.subgoals
    store = store or judge.store
    question = (*decompose_prompt(task, LEAST, MOST), DECOMPOSE_TEMPLATE)
    return _ask_for_subgoals(task, judge, store, *question, tries)


def decompose_again(
    task: Task,
    judge: RemoteJudge,
    trial: SubgoalTrial,
    steps: Sequence[str] = (),
    store: Store | None = None,
    *,
    tries: int = 3,
) -> tuple[Subgoal, ...]:
    """Returns a task's subgoals as a model names them once it is told what became of the first.

    The store keeps both lists, each under its hash.

    Args:
        trial: of the list that it named first.
        steps: descriptions of some of the transitions that were played, for the model to see.

    Raises:
        CalmError: no answer was usable.
    """
    outcomes = [
        f'"{name}" was confirmed on {n} of {trial.readable} steps'
        for name, n in trial.confirmed.items()
    ]
    prompt, template_hash = decompose_again_prompt(
        task, LEAST, MOST, trial.subgoals, [*outcomes, *trial.warnings], steps
    )
    question = (prompt, template_hash, DECOMPOSE_AGAIN_TEMPLATE)
    return _ask_for_subgoals(task, judge, store or judge.store, *question, tries)


def _ask_for_subgoals(
    task: Task,
    judge: RemoteJudge,
    store: Store,
    prompt: str,
    template_hash: str,
    template: str,
    tries: int,
) -> tuple[Subgoal, ...]:
    """Returns the list in the first usable of at most `tries` answers, and keeps it."""
    question = OpenQuestion(
        task.id,
        prompt,
        template,
        template_hash,
        subgoals_in,
        f"named no usable subgoals for {task.id}",
        "Use the given ones (--subgoals given), write a file, or try another model",
        _SCHEMA,
    )
    subgoals = first_usable(question, judge, store, tries)
    store.keep_subgoals(task.id, subgoals, judge.name)
    return subgoals


def subgoals_in(reply: Reply) -> tuple[Subgoal, ...]:
    """Returns the subgoals that a model's answer names.

    Raises:
        UsageError: it declined, or its answer is no list of subgoals, and why.
    """
    if reply.refusal:
        raise UsageError(f"the model declined: {reply.refusal[:200]}")
    try:
        value, _ = read_answer_object(reply, repair=True)  # people look at these before use
    except Unreadable as error:
        raise UsageError(f"the answer is {error}") from None
    return check_subgoals(value.get("subgoals"))
