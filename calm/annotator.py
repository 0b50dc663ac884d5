"""Judgements for training: each distinct text is asked once, then looked up by number.

Forty thousand steps of KeyRoom-S5 hold about a hundred and fifty different events, so the path that
matters is the lookup: a text becomes a number once, and from then on a step costs one row of a
table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.judge import Judge
from calm.records import Subgoal, Task, Transition, Usage, Verdict
from calm.store import Store


class Annotator:
    """Asks a judge about texts it has not seen and remembers the answers as numbers.

    `table[i]` is the answer about text number i, (n_texts, G) int8: 1 yes, 0 no, -1 unreadable.
    An `error` (no answer came) is asked again when the text comes up again in `ids` or
    `judge_texts`; what was read as unreadable stays so.

    Args:
        judge: any judge; its own store, if it has one, outlives this object.
        subgoals: None for the task's given ones.
        store: where the list of subgoals is kept under its hash, so that it can be named later.
    """

    def __init__(
        self,
        judge: Judge,
        task: Task,
        subgoals: Sequence[Subgoal] | None = None,
        store: Store | None = None,
    ) -> None:
        self.judge = judge
        self.task = task
        self.subgoals = tuple(task.subgoals if subgoals is None else subgoals)
        if not self.subgoals:
            raise UsageError(f"{task.id} has no given subgoals; name some (see `calm decompose`)")
        if store is not None:
            store.keep_subgoals(task.id, self.subgoals, judge.name)
        self.texts: list[str] = []
        """Text by number."""
        self.table: npt.NDArray[np.int8] = np.empty((0, len(self.subgoals)), dtype=np.int8)
        self.asked = 0
        """Distinct texts put to the judge."""
        self.looked_up = 0
        """Texts answered from the table."""
        self.verdicts: Counter[Verdict] = Counter()
        """Of the distinct texts, as they stand."""
        self._number: dict[str, int] = {}
        self._verdict: list[Verdict] = []
        self._spent = Usage()

    @property
    def usage(self) -> Usage:
        """What the answers cost: all attempts, where the judge counts them."""
        spent = getattr(self.judge, "usage", None)
        return spent if isinstance(spent, Usage) else self._spent

    def ids(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """The number of each text, (N,) int64; new texts are asked about, all in one call."""
        number = self._number
        try:
            found = [number[text] for text in texts]
            self.looked_up += len(texts)
            if not self.verdicts[Verdict.ERROR]:
                return np.array(found, dtype=np.int64)
        except KeyError:
            pass
        self._ask([t for t in dict.fromkeys(texts) if self._unanswered(t)])
        found = [number[text] for text in texts]
        return np.array(found, dtype=np.int64)

    def judge_texts(self, texts: Sequence[str]) -> npt.NDArray[np.int8]:
        """The answers about texts, (N, G) int8: 1 yes, 0 no, -1 unreadable."""
        ids = self.ids(texts)
        return self.table[ids]

    def _unanswered(self, text: str) -> bool:
        known = self._number.get(text)
        return known is None or self._verdict[known] is Verdict.ERROR

    def _ask(self, texts: Sequence[str]) -> None:
        if not texts:
            return
        transitions = [Transition(self.task.id, {self.judge.mode: t}, action="") for t in texts]
        judged = self.judge.judge(self.task, self.subgoals, transitions)
        self.asked += len(texts)
        rows = np.array([j.row(self.subgoals) for j in judged], dtype=np.int8)
        fresh = []
        for text, judgement, row in zip(texts, judged, rows, strict=True):
            self.verdicts[judgement.verdict] += 1
            self._spent += judgement.usage
            if (known := self._number.get(text)) is not None:
                self.verdicts[self._verdict[known]] -= 1
                self._verdict[known] = judgement.verdict
                self.table[known] = row
                continue
            self._number[text] = len(self.texts)
            self.texts.append(text)
            self._verdict.append(judgement.verdict)
            fresh.append(row)
        if fresh:
            self.table = np.concatenate([self.table, np.array(fresh, dtype=np.int8)])
