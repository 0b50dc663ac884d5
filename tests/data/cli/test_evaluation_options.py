"""The options of `calm evaluate` as records, and what a plan makes of them."""

from dataclasses import fields
from pathlib import Path

from data.cli.evaluation_options import EvaluationOptions, ReferenceOptions
from data.cli.label_options import LABELS
from data.evaluation.plan import EvaluationPlan


def test_what_is_not_named_is_the_usual() -> None:
    plan = EvaluationPlan(**EvaluationOptions().for_plan(), **ReferenceOptions().for_plan())
    assert plan.judges == ("rules", "always-yes", "always-no", "random")
    assert (plan.modes, plan.parts, plan.sweep, plan.against) == (("events",), (), (), ("engine",))
    assert (plan.labels, plan.min_people) == ((LABELS,), 2)
    usual = EvaluationPlan(plan.data, plan.judges, labels=plan.labels)
    assert plan == usual


def test_every_option_reaches_the_plan() -> None:
    options = EvaluationOptions(
        "d", ["j"], ["crop"], ["p"], ["t"], "all", ["x.yaml"], Path("m.json"), ["role=off"],
        ["goal"], "report", Path("t.json"), True, True, 5, 3,
    )  # fmt: skip
    plan = options.for_plan() | ReferenceOptions(["ann"], [Path("l.csv")], 1).for_plan()
    usual = EvaluationOptions().for_plan() | ReferenceOptions().for_plan()
    assert all(plan[name] != usual[name] for name in plan)
    others = {"seed", "store", "base_url", "options"}
    assert set(plan) == {f.name for f in fields(EvaluationPlan)} - others
