"""A search trains trials, drops bad ones, resumes where it was killed, and tells the best."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from agents.training.settings.files import load_config
from agents.tuning.space import SearchSpace
from agents.tuning.tune import DATABASE, Search, Trial, TuningStatus, write_best
from calm.errors import UsageError

SPACE = SearchSpace(
    "tiny",
    {
        "task": "Room-5x5", "judge": "none", "steps": 64, "n_envs": 2, "n_steps": 16,
        "eval_every": 32, "eval_episodes": 4, "features_dim": 16,
    },
    {"gamma": (0.9, 0.95, 0.97, 0.99)},
)  # fmt: skip


def trials_in(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{folder / DATABASE}"
    return optuna.load_study(study_name="calm tune", storage=storage).trials


def test_the_worth_of_a_trial_is_its_mean_success_over_evaluations_and_seeds(
    tmp_path: Path,
) -> None:
    search = Search(SPACE, tmp_path, seeds=2, first_seed=5)
    ended = search.run(2)
    assert len(ended) == 2
    assert [t.success for t in ended] == sorted((t.success for t in ended), reverse=True)
    for trial in ended:
        runs = [search._open_run(trial.values, seed) for seed in (5, 6)]
        assert [run.config.seed for run in runs] == [5, 6]
        successes = [row["success"] for run in runs for row in run.metrics()]
        assert len(successes) == 6  # at steps 0, 32 and 64
        assert trial.success == pytest.approx(sum(successes) / 6)
    write_best(SPACE, ended[0], tmp_path / "best.yaml")
    assert load_config(tmp_path / "best.yaml").gamma == ended[0].values["gamma"]
    assert search.run(2) == ended  # nothing is left to do


def test_a_killed_search_resumes_in_the_middle_of_its_trial(tmp_path: Path) -> None:
    def kill(status: TuningStatus) -> None:
        if status.training.steps >= 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Search(SPACE, tmp_path).run(1, kill)
    assert [t.state for t in trials_in(tmp_path)] == [TrialState.RUNNING]
    steps = []
    (ended,) = Search(SPACE, tmp_path).run(1, lambda status: steps.append(status.training.steps))
    assert [t.state for t in trials_in(tmp_path)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert ended.values == trials_in(tmp_path)[0].params
    assert min(steps) >= 32


def test_what_does_worse_than_half_of_the_earlier_ones_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: trial.number == 1)
    ended = Search(SPACE, tmp_path).run(3)
    assert [t.pruned for t in ended] == [False, False, True]
    assert ended[-1].number == 1
    assert ended[-1].success is not None


def test_a_folder_of_another_search_is_refused(tmp_path: Path) -> None:
    Search(SPACE, tmp_path).run(1)
    other = replace(SPACE, search={"gamma": (0.9, 0.95)})
    with pytest.raises(UsageError, match="holds a search with other search; name another folder"):
        Search(other, tmp_path).run(1)
    with pytest.raises(UsageError, match="with other seeds"):
        Search(SPACE, tmp_path, seeds=2).run(1)


def test_the_best_is_written_with_what_it_is(tmp_path: Path) -> None:
    write_best(SPACE, Trial(3, {"gamma": 0.9}, 0.5, pruned=False), tmp_path / "best.yaml")
    assert (tmp_path / "best.yaml").read_text().startswith("# The best trial of `calm tune tiny`")
