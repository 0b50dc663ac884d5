"""The judge that replays stored answers: it returns what a store holds, and asks nobody."""

from __future__ import annotations

from collections.abc import Sequence

from calm.asking.confidence import vote
from calm.asking.settle import AnswerReader
from calm.errors import UsageError, unknown
from calm.judges.protocol import Immediate
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict
from calm.store.question import Context
from calm.store.store import Store

_ABSENT = Judgement(Verdict.ERROR, reason="not in the store")


class ReplayJudge(Immediate):
    """Answers as `model` once answered; what it never was asked is an `error`.

    Where the store holds a model's answers from several prompts or parameters, those of the one
    with the most answers count; its samples vote, as they did when they were bought.

    Args:
        model: "" where the store holds only one.
    """

    def __init__(
        self, model: str = "", mode: Mode = "events", *, store: Store, repair: bool = False
    ) -> None:
        self.store = store
        self.mode: Mode = mode
        self.repair = repair
        models = store.models()
        if not model and len(models) != 1:
            known = ", ".join(f"replay:{m}" for m in sorted(models)) or "no answers"
            raise UsageError(f"name the model to replay; the store holds: {known}")
        if model and model not in models:
            raise unknown("model in the store", model, models)
        self.model = model or models[0]
        self.name = f"replay:{self.model}"

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in the same order."""
        context = self._context(task, subgoals)
        if context is None:
            return [_ABSENT] * len(transitions)
        samples = self.store.samples(context)
        reader = AnswerReader(context, repair=self.repair)
        texts = [t.texts[self.mode] for t in transitions]
        keys = {
            text: [context.key(text, i) for i in range(samples)] for text in dict.fromkeys(texts)
        }
        answers = self.store.answers([k for ks in keys.values() for k in ks])
        judgements = {}
        for text, mine in keys.items():
            ones = [reader.judgement(answers[k]) for k in mine if k in answers]
            judgements[text] = _vote(ones, subgoals)
        return [judgements[text] for text in texts]

    def _context(self, task: Task, subgoals: Sequence[Subgoal]) -> Context | None:
        """The stored context of this task, mode, model and list of subgoals with most answers."""
        return self.store.fullest_context(task.id, subgoals, self.model, self.mode)


def _vote(ones: Sequence[Judgement], subgoals: Sequence[Subgoal]) -> Judgement:
    if len(ones) < 2:
        return ones[0] if ones else _ABSENT
    names = [s.name for s in subgoals]
    verdict, achieved, shares = vote([j.row(subgoals) for j in ones], [j.verdict for j in ones])
    return Judgement(
        verdict,
        {n: bool(a) for n, a in zip(names, achieved, strict=True)} if achieved else {},
        dict(zip(names, shares, strict=True)) if shares else None,
    )
