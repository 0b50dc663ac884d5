"""Judgements for training: each distinct text is asked once, then looked up by number.

Forty thousand steps of KeyRoom-S5 hold about a hundred and fifty different events, so the path that
matters is the lookup: a text becomes a number once, and from then on a step costs one row of a
table.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Event
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from calm.asking.tally import Tally
from calm.endpoint.loop_thread import LoopThread
from calm.errors import UsageError, unknown
from calm.judges.protocol import Judge, RemoteJudge
from calm.records import Judgement, Subgoal, Task, Transition, Usage, Verdict
from calm.store.store import Store

Ask = Literal["wait", "later"]

UNREADABLE, PENDING = -1, -2
"""Rows of the table that hold no answer: none that can be read, none yet."""


@dataclass(frozen=True)
class Waiting:
    """How far the answers are that asking waits for."""

    seconds: float = 0.0
    """Since it began to wait."""
    answered: int = 0
    """Questions that a model has answered since nothing was pending."""
    questions: int = 0
    """Of so many; 0 for a judge that does not count them. In some forms a text takes several."""
    per_second: float = 0.0
    """Answers a second."""


class Annotator:
    """Asks a judge about each new text once and remembers the answers as numbers.

    `table[i]` is the answer about text number i, (n_texts, G) int8: 1 yes, 0 no, -1 unreadable, -2
    not answered yet. An `error` (no answer came) is asked again when the text comes up again in
    `ids` or `judge_texts`; what was read as unreadable stays so.

    With `wait`, asking returns when all is answered. With `later` it returns at once, the judge
    answers on an event loop of its own thread, and `collect` takes in what has come since; only
    when more than `most_pending` texts are without an answer does asking wait for some.

    Args:
        judge: any judge; its own store, if it has one, outlives this object.
        subgoals: None for the task's given ones.
        store: where the list of subgoals is kept under its hash, so that it can be named later.
        ask: `wait` or `later`. The same run again gives the same with `wait` alone.
        most_pending: texts without an answer, from 0; only `later` uses it.

    Raises:
        UsageError: no subgoals, or such a way to ask. Asking and collecting raise what the judge
            raises; texts that it did not answer are asked again when they come up again.
    """

    def __init__(
        self,
        judge: Judge,
        task: Task,
        subgoals: Sequence[Subgoal] | None = None,
        store: Store | None = None,
        *,
        ask: Ask = "wait",
        most_pending: int = 256,
    ) -> None:
        self.judge = judge
        self.task = task
        self.subgoals = tuple(task.subgoals if subgoals is None else subgoals)
        if not self.subgoals:
            raise UsageError(f"{task.id} has no given subgoals; name some (see `calm decompose`)")
        if ask not in get_args(Ask):
            raise unknown("way to ask", ask, get_args(Ask))
        if most_pending < 0:
            raise UsageError(f"at least 0 answers can be pending, got {most_pending}")
        if store is not None:
            store.keep_subgoals(task.id, self.subgoals, judge.name)
        self.ask = ask
        self.most_pending = most_pending if ask == "later" else 0
        self.on_wait: Callable[[Waiting], None] = lambda waiting: None
        """Called about once a second while asking waits."""
        self.texts: list[str] = []
        """Text by number."""
        self.table: npt.NDArray[np.int8] = np.empty((0, len(self.subgoals)), dtype=np.int8)
        self.judgements: dict[str, Judgement] = {}
        """By answered text, as it stands: with the words of a judge that is a model."""
        self.answers = 0
        """How many answers have come: while this stays, so do the rows of `table`."""
        self.questions = 0
        """Distinct texts put to the judge."""
        self.looked_up = 0
        """Texts answered from the table."""
        self.verdicts: Counter[Verdict] = Counter()
        """Of the distinct texts, as they stand; pending ones have none."""
        self._number: dict[str, int] = {}
        self._verdict: list[Verdict | None] = []
        self._summed_usage = Usage()
        self._pending: set[int] = set()
        self._lost = False  # asking failed, and texts are left that nobody is asked about
        self._tally = Tally()  # of what was asked since nothing was pending
        self._asked_at = 0.0
        self._loop: LoopThread = getattr(judge, "loop", None) or LoopThread()
        self._arrived: deque[tuple[list[int], Future[list[Judgement]]]] = deque()
        self._news = Event()

    @property
    def usage(self) -> Usage:
        """Returns what the answers cost: all attempts, where the judge counts them."""
        usage = getattr(self.judge, "usage", None)
        return usage if isinstance(usage, Usage) else self._summed_usage

    @property
    def pending(self) -> int:
        """Returns how many distinct texts the judge is being asked about."""
        return len(self._pending)

    def ids(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Returns the number of each text, (N,) int64; asks about new texts, all in one call."""
        number = self._number
        try:
            numbers = [number[text] for text in texts]
            self.looked_up += len(texts)
            if not (self._lost or self.verdicts[Verdict.ERROR]):
                return np.array(numbers, dtype=np.int64)
        except KeyError:
            pass
        self._ask([t for t in dict.fromkeys(texts) if self._unanswered(t)])
        return np.array([number[text] for text in texts], dtype=np.int64)

    def judge_texts(self, texts: Sequence[str]) -> npt.NDArray[np.int8]:
        """Returns the answers about texts, (N, G) int8: 1 yes, 0 no, -1 unreadable, -2 not yet."""
        ids = self.ids(texts)
        self.collect()
        return self.table[ids]

    def collect(self) -> None:
        """Takes in the answers that have come since the last call. Costs nothing when none has.

        Raises:
            CalmError: the judge gave up.
        """
        while self._arrived:
            numbers, future = self._arrived.popleft()
            self._pending.difference_update(numbers)
            self._lost |= future.cancelled() or future.exception() is not None
            for number, judgement in zip(numbers, future.result(), strict=True):
                self._fill_row(number, judgement)

    def wait(self, most_pending: int = 0) -> None:
        """Waits until at most so many texts are without an answer. Ctrl-C cancels the asking.

        Raises:
            CalmError: the judge gave up.
        """
        began = time.monotonic()
        try:
            while len(self._pending) > most_pending:
                if not self._news.wait(1.0):
                    self.on_wait(self._waiting(began))
                self._news.clear()
                self.collect()
        except KeyboardInterrupt:
            self._loop.cancel()
            raise

    def _waiting(self, began: float) -> Waiting:
        """Returns how far the pending answers are, where waiting began at a time."""
        now, tally = time.monotonic(), self._tally
        asked = tally.questions - tally.hits
        return Waiting(
            now - began, tally.answered, asked, tally.answered / max(1e-9, now - self._asked_at)
        )

    def _unanswered(self, text: str) -> bool:
        known = self._number.get(text)
        if known is None:
            return True
        return known not in self._pending and self._verdict[known] in (None, Verdict.ERROR)

    def _ask(self, texts: Sequence[str]) -> None:
        if not texts:
            return
        fresh = [t for t in texts if t not in self._number]
        if fresh:
            self._number.update((t, i) for i, t in enumerate(fresh, start=len(self.texts)))
            self.texts += fresh
            self._verdict += [None] * len(fresh)
            rows = np.full((len(fresh), len(self.subgoals)), PENDING, dtype=np.int8)
            self.table = np.concatenate([self.table, rows])
        numbers = [self._number[t] for t in texts]
        if not self._pending:
            self._tally, self._asked_at = Tally(), time.monotonic()
        self._pending.update(numbers)
        if self._lost:
            left = (i for i, verdict in enumerate(self._verdict) if verdict is None)
            self._lost = any(i not in self._pending for i in left)
        self.questions += len(texts)
        transitions = [Transition(self.task.id, {self.judge.mode: t}, action="") for t in texts]
        if isinstance(self.judge, RemoteJudge):
            answers = self.judge.ajudge(self.task, self.subgoals, transitions, tally=self._tally)
        else:
            answers = self.judge.ajudge(self.task, self.subgoals, transitions)
        future = self._loop.start(answers)

        def arrive(future: Future[list[Judgement]]) -> None:  # in the loop's thread
            self._arrived.append((numbers, future))
            self._news.set()

        future.add_done_callback(arrive)
        self.wait(self.most_pending)

    def _fill_row(self, number: int, judgement: Judgement) -> None:
        before = self._verdict[number]
        if before is not None:
            self.verdicts[before] -= 1
        self.verdicts[judgement.verdict] += 1
        self._verdict[number] = judgement.verdict
        self.judgements[self.texts[number]] = judgement
        self._summed_usage += judgement.usage
        self.table[number] = judgement.row(self.subgoals)
        self.answers += 1
