"""Tables of runs: one arm for several seeds, first measurements, words for rewards."""

from pathlib import Path

from agents.report.tables import Arm, arms_of, arms_table, settings_table, steps_to
from agents.training.config import TrainConfig
from agents.training.run_folder import Run
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
