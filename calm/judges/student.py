"""The judge that learns from another one's answers, and asks it only where it is not sure.

`student:SPEC` has a linear model of each subgoal over the words of the descriptions, trained on
what the judge SPEC answered. It answers a text itself only if all of this holds, else SPEC does:

- the store has no answer of SPEC's to it;
- no word of it is new (a deed that was never met has words that were never read);
- its least certain subgoal is as certain as it has to be: so that among the learned texts that
  were as certain, each judged by a model that did not learn it, the wanted share agreed with SPEC;
- it is not one of the two in a hundred that are asked anyway, by which `Studied.agreement` tells
  how far the student agreed where it was sure.

Its answers are its own: they say so in `reason`, are in no store, and stand under the name
`student:SPEC` wherever answers are written; SPEC's own answers are in the store as ever.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from calm.errors import UsageError
from calm.judges.protocol import Judge, RemoteJudge
from calm.judges.student_model import StudentModel
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict, content_hash

AGREEMENT = 0.98
"""Share of its own answers in which a student is to agree with whom it learns from, if none is
named."""
FIRST = 50
"""Texts that are asked before anything is learned."""
BLOCK = 32
"""Texts that are asked before it is tried whether the others still have to be."""
GROWTH = 1.25
"""Learns anew when it has this many times the texts that it last learned from."""
AUDITED = 50
"""One text in this many is asked although the student is sure."""

_PREFIX = re.compile(r"student(?:@([^:]*))?:(.+)", re.DOTALL)

Work = Generator[list[Transition], list[Judgement], list[Judgement]]
"""Yields transitions to ask about, is sent the answers, and returns one judgement for each."""


def teacher_of(spec: str) -> str:
    """Returns the spec of the judge that a student asks; another judge's spec as it is."""
    matched = _PREFIX.fullmatch(spec)
    return matched[2] if matched else spec


def student_agreement(spec: str) -> float | None:
    """Returns the agreement that a student is to reach; None for the spec of another judge.

    >>> student_agreement("student@.99:rules"), student_agreement("student:rules")
    (0.99, 0.98)

    Raises:
        UsageError: what is named is no share between a half and 1, or another student.
    """
    matched = _PREFIX.fullmatch(spec)
    if matched is None:
        return None
    if _PREFIX.fullmatch(matched[2]):
        raise UsageError(
            f"{spec}: a student learns from a judge and not from another student; name the judge,"
            f" as in student:{teacher_of(matched[2])}"
        )
    try:
        share = float(matched[1] or AGREEMENT)
    except ValueError:
        share = 0.0
    if not 0.5 < share < 1:
        raise UsageError(
            f"{spec}: a student's agreement is a share above .5 and below 1, as in"
            f" student@.99:{matched[2]}"
        )
    return share


@dataclass
class Studied:
    """What a student did about one task's subgoals."""

    learned: dict[str, list[int]] = field(default_factory=dict)
    """By text, what was answered about each subgoal: 1 yes, 0 no."""
    answers: dict[str, Judgement] = field(default_factory=dict)
    """By text, everybody's."""
    own: int = 0
    """Texts that it answered itself."""
    asked: int = 0
    """Texts about which the other judge was asked, audited ones among them."""
    audited: int = 0
    """Texts of which it was sure and that were asked anyway."""
    audited_equal: int = 0
    """Of these, those on which it would have said the same about every subgoal."""
    model: StudentModel | None = field(default=None, repr=False)

    @property
    def agreement(self) -> float:
        """Returns the share of the audited texts on which it agreed; NaN without any."""
        return self.audited_equal / self.audited if self.audited else float("nan")


class StudentJudge:
    """Answers what it is sure of, and asks another judge the rest.

    Args:
        teacher: the judge that is asked and learned from.
        agreement: share of its own answers in which it is to agree with that one, by what it has
            learned; in (.5, 1).
    """

    def __init__(self, teacher: Judge, agreement: float = AGREEMENT) -> None:
        self.teacher, self.agreement = teacher, agreement
        self.mode: Mode = teacher.mode
        named = "" if agreement == AGREEMENT else f"@{agreement:g}"
        self.name = f"student{named}:{teacher.name}"
        self._mark = f"answered by a student of {teacher.name}, not by it"
        self._studied: dict[tuple[str, tuple[Subgoal, ...]], Studied] = {}
        self._turn = asyncio.Lock()

    def studied(self, task: Task, subgoals: Sequence[Subgoal]) -> Studied:
        """Returns what it has learned and done about a task's subgoals; it grows meanwhile."""
        return self._studied.setdefault((task.id, tuple(subgoals)), Studied())

    @property
    def own(self) -> int:
        """Returns how many different texts it has answered itself, of all tasks."""
        return sum(studied.own for studied in self._studied.values())

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in order; errors are the teacher's."""
        work = self._work(task, subgoals, transitions)
        step = _advance(work, None)
        while not isinstance(step, _Ended):
            step = _advance(work, self.teacher.judge(task, subgoals, step))
        return step.judgements

    async def ajudge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns the same, for callers that run an event loop."""
        async with self._turn:  # what is asked at once would not be learned from
            work = self._work(task, subgoals, transitions)
            step = await asyncio.to_thread(_advance, work, None)
            while not isinstance(step, _Ended):
                answers = await self.teacher.ajudge(task, subgoals, step)
                step = await asyncio.to_thread(_advance, work, answers)
            return step.judgements

    def close(self) -> None:
        """Closes the teacher's connections, if it has any."""
        if (close := getattr(self.teacher, "close", None)) is not None:
            close()

    def _work(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> Work:
        studied = self.studied(task, subgoals)
        by_text = {t.texts[self.mode]: t for t in transitions}
        unreadable: dict[str, Judgement] = {}
        """Answers of the teacher; another time they may be asked anew."""
        new = [t for text, t in by_text.items() if text not in studied.answers]
        self._recall(studied, task, subgoals, new)
        while open_texts := [
            t for t in by_text if t not in studied.answers and t not in unreadable
        ]:
            foreseen = self._answer_sure(studied, subgoals, open_texts)
            not_sure = [text for text in open_texts if text not in studied.answers]
            block = not_sure[: BLOCK if studied.model else FIRST]
            if not block:
                break
            judgements = yield [by_text[text] for text in block]
            for text, judgement in zip(block, judgements, strict=True):
                studied.asked += 1
                if not judgement.verdict.readable:
                    unreadable[text] = judgement
                    continue
                self._take(studied, subgoals, text, judgement)
                if text in foreseen:
                    studied.audited += 1
                    studied.audited_equal += foreseen[text] == studied.learned[text]
            self._learn(studied)
        texts = (t.texts[self.mode] for t in transitions)
        return [unreadable[t] if t in unreadable else studied.answers[t] for t in texts]

    def _recall(
        self,
        studied: Studied,
        task: Task,
        subgoals: Sequence[Subgoal],
        transitions: Sequence[Transition],
    ) -> None:
        """Takes, and learns from, what the store of a model that is asked answers."""
        if not isinstance(self.teacher, RemoteJudge):
            return
        recalled = self.teacher.recall(task, subgoals, transitions)
        for transition, judgement in zip(transitions, recalled, strict=True):
            if judgement is not None and judgement.verdict.readable:
                self._take(studied, subgoals, transition.texts[self.mode], judgement)
        self._learn(studied)

    @staticmethod
    def _take(
        studied: Studied, subgoals: Sequence[Subgoal], text: str, judgement: Judgement
    ) -> None:
        studied.answers[text] = judgement
        studied.learned[text] = judgement.row(subgoals)

    def _answer_sure(
        self, studied: Studied, subgoals: Sequence[Subgoal], texts: Sequence[str]
    ) -> dict[str, list[int]]:
        """Answers the texts that the student is sure of, but for those that are audited.

        Returns:
            What it would have answered about each subgoal, by text that is audited.
        """
        if studied.model is None:
            return {}
        foreseen: dict[str, list[int]] = {}
        sure, yes = studied.model.judge(texts)
        for i in np.flatnonzero(sure).tolist():
            odds = {s.name: float(p) for s, p in zip(subgoals, yes[i], strict=True)}
            achieved = {name: p > 0.5 for name, p in odds.items()}
            own = Judgement(Verdict.OK, achieved, confidence=odds, reason=self._mark)
            if _is_audited(texts[i]):
                foreseen[texts[i]] = own.row(subgoals)
            else:
                studied.answers[texts[i]] = own
                studied.own += 1
        return foreseen

    def _learn(self, studied: Studied) -> None:
        """Learns anew where there is enough that it has not learned from."""
        texts = list(studied.learned)
        if len(texts) >= (GROWTH * studied.model.n if studied.model else FIRST):
            answers = np.array([studied.learned[text] for text in texts], np.int8)
            studied.model = StudentModel(texts, answers, self.agreement)


def _is_audited(text: str) -> bool:
    """Returns whether a text is asked in any case: the same ones in every run."""
    return int(content_hash(text)[:8], 16) % AUDITED == 0


@dataclass(frozen=True)
class _Ended:
    """That all of some work is done."""

    judgements: list[Judgement]


def _advance(work: Work, answers: list[Judgement] | None) -> list[Transition] | _Ended:
    """Learns from answers; returns what is to be asked next, or that nothing is."""
    try:
        return work.send(answers)  # type: ignore[arg-type]
    except StopIteration as end:
        return _Ended(end.value)
