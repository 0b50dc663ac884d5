"""How far asking has come, for whoever shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from calm.records import Judgement, Verdict


def _ignore(tally: Tally) -> None:
    """Shows nothing."""


@dataclass
class Tally:
    """Counts of what has been done so far; changes while work goes on."""

    questions: int = 0
    """Distinct questions put to the judge, samples included."""
    hits: int = 0
    """Of these, already in the store."""
    answered: int = 0
    """Of these, answered by the endpoint just now."""
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    """Over hits and answered."""
    failures: Counter[str] = field(default_factory=Counter)
    """Failed attempts by kind; most were tried again."""
    cut_prompts: int = 0
    """Prompts of which the server, by its count of tokens, has read only a part."""
    waiting: str = ""
    """What is waited for, where it is not answers one by one: a batch and its state."""
    on_change: Callable[[Tally], None] = _ignore
    """Called, from the thread that asks, whenever a count has changed."""

    def count_stored(self, questions: int, stored: Mapping[bytes, Judgement]) -> None:
        """Counts questions that were looked up, and the stored answers to some of them, by key."""
        self.questions += questions
        self.hits += len(stored)
        self.verdicts.update(j.verdict for j in stored.values())
        if stored:
            self.changed()

    def changed(self) -> None:
        """Tells whoever shows the counts."""
        self.on_change(self)
