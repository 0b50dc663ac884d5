"""Families of tasks: every task has one, its settings are settings, and what is named wins."""

import itertools
from pathlib import Path

import pytest
import yaml

from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig, make_config
from agents.training.settings.families import Family, families, family_of
from envs.tasks import INSTALLED
from tests.support.command_line import calm


def test_every_task_has_a_family_and_every_name_in_one_is_a_task() -> None:
    *named, rest = families()
    assert (rest.name, rest.tasks) == ("others", ("*",))
    for family in named:
        for task in family.tasks:
            assert family_of(f"MiniHack-{task}-v0") == family
            assert f"MiniHack-{task}-v0" in INSTALLED
    assert family_of("MiniHack-Sokoban1a-v1") == family_of("Cellar-v0") == rest
    keyroom = {id for id in INSTALLED if "KeyRoom" in id}
    assert {id for id in INSTALLED if family_of(id) != rest} == keyroom


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_settings_of_a_family_are_settings(family: Family) -> None:
    config = make_config(family.settings)
    for name, value in family.settings.items():
        held = getattr(config, name)
        assert (list(held) if isinstance(held, tuple) else held) == value


@pytest.mark.parametrize(
    ("bonus", "weight"),
    [("novelty", 0.03), ("novelty:cell", 0.01), ("rnd", 0.003), ("e3b", 0.01), ("none", 0.1)],
)
def test_a_bonus_has_its_tuned_weight_if_none_is_named(bonus: str, weight: float) -> None:
    assert make_config({"bonus": bonus}).bonus_weight == weight
    assert make_config({"bonus": bonus, "bonus_weight": 0.5}).bonus_weight == 0.5


def test_training_begins_with_the_family_and_what_is_named_wins(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(yaml.safe_dump({"task": "KeyRoom-S15", "crop": 11, "judge": "none"}))
    small = ("n_envs=2", "n_steps=32", "eval_episodes=2", "features_dim=32")
    short = ["--steps", 64, *itertools.chain(*(("--set", pair) for pair in small))]

    def trained(*options: str) -> TrainConfig:
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        calm("train", "--config", config, *short, "--out", out, *options)
        return Run.open(next(out.iterdir())).config

    with_it = trained()
    assert (with_it.features_dim, with_it.crop, with_it.n_epochs) == (32, 11, 8)
    assert with_it.steps == 64
    without = trained("--no-family")
    assert without.n_epochs == TrainConfig().n_epochs
