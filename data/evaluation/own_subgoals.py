"""Which subgoals models were asked for and named none that anything can be asked about."""

from __future__ import annotations

from dataclasses import dataclass

from calm.asking.prompt import DECOMPOSE_TEMPLATE
from calm.decompose import subgoals_in
from calm.errors import UsageError
from calm.store.store import Store


@dataclass(frozen=True, slots=True)
class NoSubgoals:
    """A model that was asked for a task's subgoals, and none of its answers is a list of them."""

    answers: int
    """It gave."""
    fault: str
    """Why the last of them can't be used."""
    words: str
    """The last of them, as the model wrote it."""


def without_subgoals(store: Store, model: str) -> dict[str, NoSubgoals]:
    """Returns what a model answered for want of subgoals, by the id of the task.

    Tasks of which it was not asked, or of which an answer can be used, are left out.
    """
    answers: dict[str, NoSubgoals] = {}
    usable = set()
    for task, reply in store.tables.answers.replies(model, DECOMPOSE_TEMPLATE):
        try:
            subgoals_in(reply)
        except UsageError as error:
            before = answers[task].answers if task in answers else 0
            answers[task] = NoSubgoals(before + 1, str(error), reply.text or reply.refusal)
        else:
            usable.add(task)
    return {task: none for task, none in answers.items() if task not in usable}
