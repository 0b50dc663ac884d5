"""The paper's own design, whatever else a plan says."""

from pathlib import Path

import pytest

from data.evaluation import protocol
from data.evaluation.plan import EvaluationPlan


def test_each_condition_is_run_as_the_paper_had_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[EvaluationPlan] = []
    monkeypatch.setattr(
        protocol, "run_evaluation", lambda plan, progress: plans.append(plan) or [len(plans)]
    )
    plan = EvaluationPlan(
        "minihack-v1",
        ("rules",),
        ("events",),
        parts=("natural",),
        discovered=("KeyRoom-S5=found.yaml",),
        overrule=Path("m.json"),
        limit=5,
        min_people=1,
    )
    assert protocol.run_protocol(plan) == [1, 2]
    for run in plans:
        assert (run.data, run.parts, run.modes) == ("keyroom-v1", ("balanced",), ("screen", "crop"))
        assert (run.limit, run.judges, run.min_people) == (0, ("rules",), 1)
    given, discovered = plans
    assert (given.discovered, given.overrule) == ((), None)
    assert (discovered.discovered, discovered.overrule) == (plan.discovered, plan.overrule)
