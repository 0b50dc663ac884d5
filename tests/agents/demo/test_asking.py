"""How a demo's judge is asked: as it was measured to be best, unless it is told otherwise."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from agents.demo import asking
from agents.demo.arms import DemoPlan
from calm.errors import UsageError
from calm.local.registry import BestForm

BEST = BestForm("lines", MappingProxyType({"*": 0.72}), "MCC .98")
PLAN = DemoPlan(judge="local:any")


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "best_form", lambda judge: BEST if judge == "local:any" else None)


def test_a_measured_model_is_asked_in_its_best_form_and_that_is_said() -> None:
    plan, why = asking.with_form(PLAN)
    assert plan == replace(PLAN, form="lines", thresholds={"*": 0.72})
    assert why == (
        "local:any is asked as it judges best (MCC .98): --form lines --thresholds 0.72. To ask"
        " otherwise name another, such as --form booleans."
    )
    assert asking.takes_given_subgoals(plan)
    assert asking.in_words(plan) == (
        "It was asked in the form lines, and is taken to say yes where a yes is likelier than 0.72."
    )


def test_a_form_or_a_threshold_that_is_named_stays() -> None:
    named = replace(PLAN, form="booleans")
    assert asking.with_form(named) == (named, "")
    assert not asking.takes_given_subgoals(named)
    plan, _ = asking.with_form(replace(PLAN, thresholds={"*": 0.6}))
    assert (plan.form, plan.thresholds) == ("lines", {"*": 0.6})


def test_others_are_asked_as_ever() -> None:
    for judge in ("rules", "openai:m", "local:other"):
        plan = DemoPlan(judge=judge)
        assert asking.with_form(plan) == (plan, "")
        assert asking.in_words(plan) == ""
    assert asking.takes_given_subgoals(DemoPlan(judge="rules"))
    assert not asking.takes_given_subgoals(DemoPlan(judge="openai:m"))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (DemoPlan(judge="rules", form="lines"), "rules is none"),
        (DemoPlan(judge="local:any", form="line"), "unknown form of answer 'line'"),
    ],
)
def test_what_can_not_be_asked_is_refused(plan: DemoPlan, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        asking.with_form(plan)
