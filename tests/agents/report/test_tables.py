"""Tables of runs: one arm for several seeds, first measurements, words for rewards."""

from pathlib import Path

import pytest

from agents.report.tables import (
    Arm,
    arms_of,
    arms_table,
    label_arms,
    settings_table,
    steps_to,
)
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.errors import UsageError
from tests.support.measured_runs import rows, run


def test_steps_to_a_rate() -> None:
    assert steps_to(rows(0.0, 0.95, 0.5, 1.0), 0.9) == 2000
    assert steps_to(rows(0.0, 0.5), 0.9) is None


def test_only_runs_that_differ_in_nothing_but_their_seed_are_one_arm(tmp_path: Path) -> None:
    configs = [
        TrainConfig(judge="none", seed=3),
        TrainConfig(judge="none", seed=2, penalty=True, keys=("glyphs_crop", "blstats")),
        TrainConfig(judge="none", seed=5),
        TrainConfig(judge="rules", seed=7, penalty=True),
    ]
    runs = [Run.create(tmp_path / str(i), config) for i, config in enumerate(configs)]
    arms = arms_of(runs)
    assert [(arm.label, [run.config.seed for run in arm.runs]) for arm in arms] == [
        ("KeyRoom-S5-none-cnn, penalty=False, keys=glyphs_crop, inv_glyphs, blstats", [3, 5]),
        ("KeyRoom-S5-none-cnn, penalty=True, keys=glyphs_crop, blstats", [2]),
        ("KeyRoom-S5-rules-once-cnn", [7]),
    ]
    assert arms[0].title(runs[2]) == f"{arms[0].label}, seed 5"
    table = settings_table(arms)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["seed"] == ("3, 5", "2", "7")
    assert rows["penalty"] == ("False", "True", "True")
    assert rows["encoder"] == ("cnn (all)", "", "")


def test_90_percent_at_the_first_evaluation_is_at_step_0(tmp_path: Path) -> None:
    first = run(tmp_path / "a", 0)
    first.write_metrics([rows(0.95)[0] | {"steps": 0}])
    table = arms_table([Arm("lucky", [first])])
    assert dict(zip(table.columns, table.rows[0], strict=True))["steps to 90 %"] == "0"


def test_a_trained_run_says_what_it_was_trained_on(tmp_path: Path) -> None:
    table = arms_table(arms_of([run(tmp_path / "a", 0, 0.5)]))
    reward = table.rows[0][list(table.columns).index("reward it trains on")]
    assert reward.startswith("the task's own, without its -0.01")


def test_an_arm_is_relabelled_by_its_label_or_a_runs_folder(tmp_path: Path) -> None:
    configs = [TrainConfig(judge="none"), TrainConfig(judge="none", weight=0.5)]
    arms = arms_of([Run.create(tmp_path / name, c) for name, c in zip("ab", configs, strict=True)])
    first = arms[0].label
    assert first == "KeyRoom-S5-none-cnn, weight=0.3"
    relabelled = label_arms(arms, [f"{first}=w = 0.3", "b=half"])
    assert [arm.label for arm in relabelled] == ["w = 0.3", "half"]
    assert label_arms(arms, [f"{tmp_path / 'a'}=one"])[0].label == "one"
    for pair in ("a", "a=", "=b", "a= "):
        with pytest.raises(UsageError, match="takes NAME=TEXT"):
            label_arms(arms, [pair])
    with pytest.raises(UsageError, match=r"unknown agent 'c'.*KeyRoom-S5-none-cnn"):
        label_arms(arms, ["c=third"])
