"""`calm tune` as a shell sees it: a table, the best settings, JSON."""

import json
from pathlib import Path

from agents.training.settings.files import load_config
from tests.support.command_line import calm

SPACE = """
settings: {task: Room-5x5, judge: none, steps: 32, n_envs: 2, n_steps: 16, eval_every: 32,
           eval_episodes: 2, features_dim: 16}
search: {gamma: [0.9, 0.99], ent_coef: {low: 0.001, high: 0.1, log: true}}
"""


def test_trials_are_listed_and_the_best_can_be_trained(tmp_path: Path) -> None:
    space, folder = tmp_path / "tiny.yaml", tmp_path / "found"
    space.write_text(SPACE)
    words = ("tune", space, "--out", folder, "--store", tmp_path / "s.sqlite")
    printed = calm(*words, "--trials", 1)
    assert "mean success" in printed
    assert printed.rstrip().endswith(f"the best settings: {folder / 'best.yaml'}")
    outcome = json.loads(calm(*words, "--trials", 2, "--json"))
    assert [sorted(t["values"]) for t in outcome["trials"]] == [["ent_coef", "gamma"]] * 2
    best = load_config(Path(outcome["best"]))
    assert best.gamma == outcome["trials"][0]["values"]["gamma"]
