"""Makes the prompt of a stored answer again, as it was sent.

A store keeps of a prompt the transition's text, the subgoals, the template's name and a hash of all
else. A prompt that is made again from these and has the same hash is the one that was sent; one
that has another is not shown, because the task is told or the template written otherwise now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from calm.asking.form import form_of
from calm.asking.prompt import JudgePrompt
from calm.errors import UsageError
from calm.records import MODES, Subgoal, Task
from calm.store.tables.contexts import StoredContext, load_subgoals
from calm.tasks import installed_tasks

NOT_KNOWN = (
    "The store keeps its hash alone, and from what is known here of the task no prompt with that"
    " hash can be made: the task is described otherwise now, or elsewhere."
)


@dataclass(frozen=True)
class SentPrompt:
    """What a model was sent about one transition."""

    text: str
    prefill: str = ""
    """The beginning of the answer, where it was begun for the model."""


class SentPrompts:
    """Makes prompts again.

    Args:
        tasks: returns tasks that are known beside the installed ones, such as those of runs.
        lists: returns lists of subgoals that runs were judged by.
    """

    def __init__(
        self,
        tasks: Callable[[], Sequence[Task]] = tuple,
        lists: Callable[[], Sequence[Sequence[Subgoal]]] = tuple,
    ) -> None:
        self._tasks, self._lists = tasks, lists

    def of(
        self, context: StoredContext, text: str, lists: Iterable[Sequence[Subgoal]] = ()
    ) -> SentPrompt | None:
        """Returns the prompt about a text in a context; None where it can't be made again.

        Args:
            context: of the answer.
            text: of the transition, or the piece of it that was asked about.
            lists: of subgoals that are kept in the store.
        """
        prompt = self._prompt(context, [*self._lists(), *lists])
        return None if prompt is None else SentPrompt(prompt.render([text]), prompt.prefill)

    def _prompt(
        self, context: StoredContext, lists: Sequence[Sequence[Subgoal]]
    ) -> JudgePrompt | None:
        form = form_of(context.template)
        mode = next((mode for mode in MODES if mode == context.mode), None)
        about = load_subgoals(context.subgoals)
        if mode is None:
            return None
        for task, subgoals in self._candidates(context, about, lists):
            try:
                alone = about if form.asks != "list" else ()
                prompt = JudgePrompt(form.task(task), subgoals, mode, context.template, alone)
            except UsageError:  # no such template any more
                continue
            if prompt.hash == context.prompt:
                return prompt
        return None

    def _candidates(
        self,
        context: StoredContext,
        about: tuple[Subgoal, ...],
        lists: Sequence[Sequence[Subgoal]],
    ) -> Iterator[tuple[Task, Sequence[Subgoal]]]:
        """Yields the tasks and lists of subgoals with which a prompt may have been made."""
        form = form_of(context.template)
        tasks = [task for task in self._tasks() if task.id == context.task]
        if (task := installed_tasks().get(context.task)) is not None:
            tasks.append(task)
        if form.any_task:
            tasks = [Task("", "")]
        for task in tasks:
            if form.asks != "subgoal":
                yield task, about
                continue
            for subgoals in (task.subgoals, *lists):
                if about[0] in subgoals:
                    yield task, subgoals
