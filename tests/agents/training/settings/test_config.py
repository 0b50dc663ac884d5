"""Settings: what follows from them, and a broken one names its field."""

import subprocess
import sys

import pytest

from agents.training.settings.config import TrainConfig, make_config, settings
from calm.errors import UsageError


def test_a_minibatch_is_its_share_of_the_rollout() -> None:
    assert make_config({"n_envs": 6, "n_steps": 10, "minibatches": 4}).batch_size == 15


def test_a_scheduled_setting_is_on_its_line_and_another_stays() -> None:
    config = TrainConfig(steps=200, weight=0.3, weight_end=0.1)
    weights = [round(config.scheduled("weight", steps), 9) for steps in (0, 50, 200, 300)]
    assert weights == [0.3, 0.25, 0.1, 0.1]
    assert config.scheduled("ent_coef", 150) == config.ent_coef
    assert config.has_schedule
    assert not TrainConfig().has_schedule
    stays = TrainConfig(steps=200, shaping="potential", weight=0.3, weight_end=0.1)
    assert stays.scheduled("weight", 200) == 0.3
    longer = TrainConfig(steps=400, schedule_steps=200, weight=0.3, weight_end=0.1)
    assert [round(longer.scheduled("weight", n), 9) for n in (50, 200, 400)] == [0.25, 0.1, 0.1]


@pytest.mark.parametrize(("steps", "trained"), [(1, 512), (512, 512), (513, 1024), (2048, 2048)])
def test_steps_are_rounded_up_to_whole_rollouts(steps: int, trained: int) -> None:
    assert TrainConfig(n_envs=4, n_steps=128, steps=steps).total_steps == trained


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({False: 5}, "can't be used: .*should be strings"),  # YAML's `no: 5`
        ({"stepz": 5}, "unknown setting 'stepz': did you mean 'steps'.*calm train --settings"),
        ({"lr": 3}, "unknown setting 'lr': did you mean 'learning_rate'.*calm train --settings"),
        ({"n_envs": 1000000}, "n_envs: .*less than or equal to 4096"),
        ({"weight": float("inf")}, "weight: .*finite"),
        ({"weight_end": "none"}, "weight_end: expected a finite number, such as 0.0, got 'none'"),
        ({"bonus_weight": "nan"}, "bonus_weight: expected a finite number, such as 0.1, got nan"),
        ({"bonus_weight": "much"}, "bonus_weight: expected a finite number.*got 'much'"),
        ({"bonus_weight": -1}, "bonus_weight: .*greater than or equal to 0"),
        ({"bonus": "novelty:cel"}, "bonus: unknown bonus .*did you mean 'novelty:cell'"),
        ({"stall": -1}, "stall: expected greater than or equal to 0, got -1$"),
        ({"memory": "more"}, "memory: expected 'none', 'stack' or 'lstm', got 'more'"),
        ({"augment": "flip"}, "augment: expected 'none' or 'dihedral', got 'flip'"),
        ({"learning_rate": 1000}, "learning_rate: expected less .* 1, got 1000"),
        ({"keys": []}, "keys: a policy must see something: name some of .*glyphs_crop"),
        ({"keys": ["blstats", "progress"]}, "unknown observation key 'progress'"),
        ({"shaping": 5}, "unknown credit mode '5'"),
        ({"thresholds": 5}, "thresholds: expected a valid dictionary, got 5$"),
        ({"steps": "many"}, "steps: .*integer"),
        ({"steps": 0}, "steps: .*greater than or equal to 1"),
        ({"shaping": "twice"}, "shaping: unknown credit mode 'twice'.*every, once, potential"),
        ({"encoder": "cnm"}, "encoder: unknown encoder 'cnm': did you mean 'cnn'"),
        ({"keys": ["glyfs"]}, "keys: unknown observation key 'glyfs': did you mean 'glyphs'"),
        ({"crop": 8}, "crop: .*odd, got 8"),
        ({"gamma": 1.5}, "gamma: "),
        ({"task": "KeyRom-S5"}, "unknown task"),
    ],
)
def test_a_broken_field_is_named(values: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make_config(values)


def test_reading_settings_loads_no_torch() -> None:
    code = "import sys, agents.training.settings.config; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_setting_has_a_default_and_a_meaning() -> None:
    listed = settings()
    assert [s.name for s in listed] == list(TrainConfig.model_fields)
    assert all(s.meaning for s in listed)
    assert {s.name: s.default for s in listed}["keys"] == ["glyphs_crop", "inv_glyphs", "blstats"]
