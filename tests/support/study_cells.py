"""Made-up results of a small study, with numbers that can be worked by hand."""

from pathlib import Path

from agents.study.plan import Cell, Plan
from agents.study.plans.load import load_plan
from agents.study.results import Result

PLAN = """
title: A small study
all: {eval_episodes: 50}
tasks:
  KeyRoom-S5: {steps: 400}
arms:
  fair: {label: unshaped, reward: 1 for the stairs, set: {judge: none}}
  rules: {label: rules, reward: and credit, set: {judge: rules, weight: 0.5}}
  every: {label: every, reward: and credit again, set: {judge: rules, shaping: every}}
compare:
  - [rules, fair]
  - [every, fair]
figures:
  all of them: [fair, rules, every]
"""
NEAR, KEY = "stand next to the key", "pick up the key"


def plan(folder: Path) -> Plan:
    path = folder / "small.yaml"
    path.write_text(PLAN)
    return load_plan("small", path)


def result(
    plan: Plan, arm: str, seed: int, *successes: float, near: float = 0.0, judged: bool = True
) -> Result:
    """A cell evaluated every 100 steps, whose hero came near the key again `near` times."""
    cell = Cell("KeyRoom-S5", arm, seed)
    counts = [
        {"source": source, "subgoal": name, "share": 0.5, "times": 0.5 + again, "repeats": again,
         "false": 0.25 if source == "judge" else None}
        for source in (("truth", "judge") if judged and arm != "fair" else ("truth",))
        for name, again in ((NEAR, near), (KEY, 0.0))
    ]  # fmt: skip
    rows = [
        {
            "steps": 100 * i,
            "success": success,
            "episodes": 50,
            "test_length": 50.0,
            "test_credit": 4.0,
            "repeats": near,
            "seconds": 1.0 + i,
            "eval_seconds": 1.0,
            "subgoals": counts,
        }
        | ({} if arm == "fair" else {"asked": 10 * i, "judged": 100 * i, "unreadable": 0})
        | {"success_greedy": success / 2 if i else None}
        | ({} if arm == "fair" else {"prompt_tokens": 0, "completion_tokens": 0, "cost": None})
        for i, success in enumerate(successes)
    ]
    origin = {"commit": f"c{seed}", "machine": "a machine", "started": "2026-01-02T03:04:05"}
    times = {"resumed_at": [200] if seed else [], "training_seconds": 5.0, "eval_seconds": 1.0}
    return Result(cell, plan.config(cell).model_dump(mode="json"), origin | times, rows)


def study(plan: Plan) -> list[Result]:
    """Three seeds of each arm: rules learns, fair does not, every farms and does not."""
    return [
        *(result(plan, "fair", s, 0, 0, 0, 0, 0.1 * s, near=1.0) for s in range(3)),
        *(result(plan, "rules", s, 0, 0, 0.5, 0.9, 0.92 + 0.02 * s, near=0.5) for s in range(3)),
        *(result(plan, "every", s, 0, 0, 0, 0, 0.1 * s, near=9.0 + s) for s in range(3)),
    ]
