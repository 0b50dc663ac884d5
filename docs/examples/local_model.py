"""A language model on this machine judges a few real steps, beside the engine's truth.

    calm models pull qwen2.5-coder-1.5b               # once; 1.1 GB
    python docs/examples/local_model.py               # a minute or two on two cores

Needs the extra [local]. A second run asks nothing: the answers are in answers.sqlite.
"""

import sys

from calm import Store, make_judge
from data.dataset import load
from envs import task


def main(model: str = "qwen2.5-coder-1.5b", rows: int = 6) -> float:
    """Judges distinct steps; returns the share of (step, subgoal) pairs that are right."""
    level = task("KeyRoom-S5")
    natural = load("keyroom-v1").part("natural").rows
    distinct = {
        row.transition.texts["events"]: row
        for row in natural
        if row.transition.task == level.id and any(row.truth[s.name] for s in level.subgoals)
    }
    picked = list(distinct.values())[:rows]
    with Store("answers.sqlite") as store:
        judge = make_judge(f"local:{model}", store=store, form="lines", thresholds={"*": 0.71})
        judgements = judge.judge(level, level.subgoals, [row.transition for row in picked])
    right = 0
    for row, judgement in zip(picked, judgements, strict=True):
        print(f"\n{row.transition.texts['events']}")
        for subgoal in level.subgoals:
            odds = (judgement.confidence or {}).get(subgoal.name, float("nan"))
            truth = row.truth[subgoal.name]
            right += judgement.achieved.get(subgoal.name) == truth
            print(f"  {'yes' if truth else 'no ':3} P(yes) {odds:.2f}  {subgoal.name}")
    share = right / (len(picked) * len(level.subgoals))
    print(f"\n{share:.0%} of {len(picked) * len(level.subgoals)} answers right")
    return share


if __name__ == "__main__":
    main(*sys.argv[1:2])
