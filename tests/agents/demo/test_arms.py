"""The agents of a demo: what they share, and in what alone they differ."""

from pathlib import Path

from agents.demo.arms import DemoPlan, run_folder


def test_agents_differ_only_in_what_pays_them() -> None:
    plan = DemoPlan(judge="rules", steps=1200, seed=3, settings={"n_envs": 4})
    own, fair, novelty, shaped = (config for _, _, config in plan.arms("given"))
    assert own == fair.model_copy(update={"penalty": True})
    assert novelty == fair.model_copy(update={"bonus": "novelty", "bonus_weight": 0.03})
    assert shaped == fair.model_copy(update={"judge": "rules", "subgoals": "given"})
    assert (fair.steps, fair.eval_every, fair.seed, fair.n_envs) == (1200, 100, 3, 4)


def test_the_shaped_agents_judge_is_asked_as_the_demos_is() -> None:
    plan = DemoPlan(judge="openai:m", form="lines", thresholds={"*": 0.7})
    *_, fair, _, shaped = (config for _, _, config in plan.arms("given"))
    asked = {"judge": "openai:m", "subgoals": "given", "form": "lines", "thresholds": {"*": 0.7}}
    assert shaped == fair.model_copy(update=asked)
    assert fair.form == ""


def test_a_label_becomes_a_folder() -> None:
    folder = run_folder(Path("out"), "unshaped, MiniHack's reward")
    assert folder == Path("out/agents/unshaped-minihack-s-reward")
