"""The judge that replays stored answers: it returns what a store holds, and asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calm.asking.answer_reader import AnswerReader
from calm.asking.confidence import vote
from calm.asking.form import FORMS, Form, form_named
from calm.asking.one_by_one import combine_answers
from calm.errors import UsageError, unknown
from calm.judges.protocol import Immediate
from calm.judges.thresholds import apply_thresholds
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
        form: the form in which it was asked (see `calm.asking.form`); "" takes the one with the
            most answers of those that ask about a whole list, else of the others.
        thresholds: as for the judge that asked, see `calm.judges.thresholds`.
    """

    def __init__(
        self,
        model: str = "",
        mode: Mode = "events",
        *,
        store: Store,
        repair: bool = False,
        form: str = "",
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        self.store = store
        self.mode: Mode = mode
        self.repair = repair
        self.forms = [form_named(form)] if form else list(FORMS.values())
        if form:
            self.forms[0].check_mode(mode)
        self.thresholds = thresholds or {}
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
        texts = [t.texts[self.mode] for t in transitions]
        form, contexts = self._contexts(task, subgoals)
        if not contexts:
            return [_ABSENT] * len(texts)
        pieces = form.different_pieces(texts)
        by_item = {
            "" if form.asks == "list" else context.subgoals[0].name: self._judgements(
                context, pieces
            )
            for context in contexts
        }
        judgements = combine_answers(form, subgoals, texts, by_item)
        return [apply_thresholds(judgement, self.thresholds) for judgement in judgements]

    def _judgements(self, context: Context, texts: Sequence[str]) -> dict[str, Judgement]:
        """Returns one judgement for each text from the answers stored in one context."""
        samples = self.store.samples(context)
        reader = AnswerReader(context, repair=self.repair)
        keys = {text: [context.key(text, i) for i in range(samples)] for text in texts}
        answers = self.store.answers([k for ks in keys.values() for k in ks])
        return {
            text: _vote(
                [reader.judgement(answers[k]) for k in mine if k in answers], context.subgoals
            )
            for text, mine in keys.items()
        }

    def _contexts(self, task: Task, subgoals: Sequence[Subgoal]) -> tuple[Form, list[Context]]:
        """Returns the form in which these subgoals were asked about, and a context for each item.

        No context where the store lacks one.
        """
        for form in sorted(self.forms, key=lambda form: form.asks != "list"):
            anything = form.asks == "list" and len(self.forms) > 1
            templates = () if anything else form.templates
            contexts = [
                self.store.fullest_context(
                    form.task(task).id, item, self.model, self.mode, templates
                )
                for item in form.items(subgoals)
            ]
            if contexts and all(context is not None for context in contexts):
                return form, [context for context in contexts if context is not None]
        return self.forms[0], []


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
