"""The paper's own design: 256 steps of KeyRoom in three even classes, screens and crops, subgoals
given and discovered, one label a step (arXiv 2409.12798)."""

from __future__ import annotations

from dataclasses import replace

from data.evaluation.evaluate import EvaluationTable
from data.evaluation.plan import EvaluationPlan
from data.evaluation.run import ProgressLine, run_evaluation

DATA, PART = "keyroom-v1", "balanced"
MODES = ("screen", "crop")


def run_protocol(
    plan: EvaluationPlan, progress: ProgressLine | None = None
) -> list[EvaluationTable]:
    """Returns the tables of the paper's conditions: subgoals given, then those that files name.

    Args:
        plan: judges, references and how models are asked; the set, its part, the descriptions and
            the wording are the paper's, whatever it says of them.
        progress: shows models at work.

    Raises:
        As `run_evaluation`.
    """
    with_given = replace(
        plan,
        data=DATA,
        parts=(PART,),
        tasks=(),
        modes=MODES,
        subgoals="given",
        discovered=(),
        overrule=None,
        prompt=(),
        sweep=(),
        limit=0,
    )
    tables = run_evaluation(with_given, progress)
    if plan.discovered:
        with_discovered = replace(with_given, discovered=plan.discovered, overrule=plan.overrule)
        tables += run_evaluation(with_discovered, progress)
    return tables
