"""How a demo's judge is asked: in the form that was named, or in the one measured to be best."""

from __future__ import annotations

from dataclasses import replace

from agents.demo.arms import DemoPlan
from agents.training.credit_source import Asking
from calm.asking.form import form_named
from calm.judges import asks_model
from calm.judges.local import best_form
from calm.judges.thresholds import EVERY


def with_form(plan: DemoPlan) -> tuple[DemoPlan, str]:
    """Returns a plan that says how its judge is asked, and in words why; "" where it did.

    A model that was measured is asked in its best form, unless another is named; thresholds that
    are named stay. Of any other model the form is left to the judge.

    Raises:
        UsageError: there is no such form, or the judge has no use for one; or the weights are not
            here.
    """
    Asking(form=plan.form, thresholds=plan.thresholds).options(plan.judge)
    if plan.form:
        form_named(plan.form)
        return plan, ""
    best = best_form(plan.judge)
    if best is None:
        return plan, ""
    how = f"--form {best.form}" if plan.thresholds else best.options
    why = (
        f"{plan.judge} is asked as it judges best ({best.worth}): {how}. To ask otherwise name"
        " another, such as --form booleans."
    )
    thresholds = plan.thresholds or dict(best.thresholds)
    return replace(plan, form=best.form, thresholds=thresholds), why


def takes_given_subgoals(plan: DemoPlan) -> bool:
    """Returns whether the judge is asked about the task's given subgoals, and names none itself.

    Forms that ask about statements need subgoals that have some, which a model's own have not
    before they were tried on played steps (`calm try-subgoals --statements`).
    """
    if not asks_model(plan.judge):
        return True
    return bool(plan.form) and form_named(plan.form).asks == "statement"


def in_words(plan: DemoPlan) -> str:
    """Returns in a sentence how the judge was asked; "" where neither form nor cut was chosen."""
    form = f"It was asked in the form {plan.form}" if plan.form else ""
    if not plan.thresholds:
        return f"{form}." if form else ""
    cuts = ", ".join(
        f"{cut:g}" if name == EVERY else f"{name}: {cut:g}" for name, cut in plan.thresholds.items()
    )
    return f"{form or 'It was asked'}, and is taken to say yes where a yes is likelier than {cuts}."
