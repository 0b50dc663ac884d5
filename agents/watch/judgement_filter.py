"""Which of a store's judgements a reader wants to see."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from agents.watch.truths import SOURCES, Shares
from calm.errors import UsageError, unknown
from calm.records import Verdict
from calm.store.tables.browsing import JudgementOutline, Place
from calm.store.tables.contexts import StoredContext, load_subgoals

UNREAD = "unread"
"""The class of an answer that is kept and that nobody has read yet."""
UNREADABLE = "unreadable"
"""All classes that carry no judgement."""
CLASSES: Mapping[str, tuple[str | None, ...]] = {
    UNREADABLE: tuple(verdict.value for verdict in Verdict if not verdict.readable),
    **{verdict.value: (verdict.value,) for verdict in Verdict},
    UNREAD: (None,),
}
"""The classes of the store that a filter's word stands for."""
SAYS = ("yes", "no")


@dataclass(frozen=True)
class JudgementFilter:
    """What judgements must be to be shown; "" where that does not matter."""

    task: str = ""
    model: str = ""
    template: str = ""
    subgoal: str = ""
    """One that the question was about."""
    says: str = ""
    """yes or no: the answer about this subgoal; without a subgoal, whether any is achieved."""
    verdict: str = ""
    """One of `CLASSES`."""
    differs: str = ""
    """engine or people: whoever says otherwise than the answer does."""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> JudgementFilter:
        """Returns the filter that a page's query asks for.

        Raises:
            UsageError: a field holds what it can't.
        """
        given = cls(**{field.name: query.get(field.name, "") for field in fields(cls)})
        for name, value, valid in (
            ("says", given.says, SAYS),
            ("verdict", given.verdict, tuple(CLASSES)),
            ("differs", given.differs, SOURCES),
        ):
            if value and value not in valid:
                raise unknown(name, value, valid)
        return given

    def fits_context(self, context: StoredContext) -> bool:
        """Returns whether judgements of a context can fit."""
        names = [s.name for s in load_subgoals(context.subgoals)]
        return (
            self.task in ("", context.task)
            and self.model in ("", context.model)
            and self.template in ("", context.template)
            and (not self.subgoal or self.subgoal in names)
        )

    def fits_answer(self, outline: JudgementOutline, names: Sequence[str]) -> bool:
        """Returns whether a judgement of a context that fits does too, but for who differs.

        Args:
            names: of the subgoals of its context, in order.
        """
        if self.verdict and outline.verdict not in CLASSES[self.verdict]:
            return False
        if not self.says:
            return True
        answers = answers_of(outline.achieved, names)
        if not answers:
            return False
        wanted = self.says == "yes"
        return answers[self.subgoal] == wanted if self.subgoal else any(answers.values()) == wanted

    def fits_truth(self, answers: Mapping[str, bool], shares: Shares) -> bool:
        """Returns whether an answer differs from what is known, on the subgoal if one is named."""
        return any(
            name in shares and shares[name].denies(yes)
            for name, yes in answers.items()
            if self.subgoal in ("", name)
        )


def answers_of(achieved: str | None, names: Sequence[str]) -> dict[str, bool]:
    """Returns what an answer says of each subgoal; {} for one that is not readable.

    Args:
        achieved: JSON, as it is stored.
        names: of the subgoals, in order.
    """
    values = json.loads(achieved) if achieved else []
    return {name: value == 1 for name, value in zip(names, values, strict=False)}


def write_place(place: Place) -> str:
    """Returns a place as a word of a query."""
    return f"{place.text}.{place.context}.{place.key.hex()}"


def read_place(word: str) -> Place:
    """Returns the place that `write_place` wrote; a UsageError for anything else."""
    try:
        text, context, key = word.split(".")
        numbers = int(text), int(context)
        if not all(0 <= number <= 1 << 62 for number in numbers):
            raise ValueError
        return Place(*numbers, bytes.fromhex(key))
    except ValueError:
        raise UsageError(f"no place in a store: {word[:64]!r}") from None
