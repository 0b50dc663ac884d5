"""Searches the settings of a space by trials: trains, drops what does badly, tells the best.

A trial is one choice of settings, trained on every seed. Its worth is the mean success on held-out
levels over all evaluations and seeds, so that how soon counts as well as how well. Optuna draws the
settings (tree-structured Parzen estimator, Bergstra et al. 2011) and ends a trial that is worse
than half of the earlier ones were at the same evaluation (its median pruner).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from agents.training.run.folder import Run
from agents.training.run.lock import owned
from agents.training.run.status import TrainingStatus
from agents.training.train import train
from agents.tuning.space import Choices, Interval, SearchSpace
from calm.errors import UsageError
from calm.files import write_file
from calm.store.store import Store

DATABASE = "trials.sqlite"
"""Optuna's own, which `optuna-dashboard` opens."""
STARTUP_TRIALS = 4
"""Trials that are drawn at random and trained to their ends before any is compared."""
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Trial:
    """One choice of settings and what came of it."""

    number: int
    values: Mapping[str, Any]
    """Of the fields that were searched."""
    success: float | None
    """Mean over evaluations and seeds so far; None before the first."""
    pruned: bool
    """Whether it was ended early."""


@dataclass(frozen=True)
class TuningStatus:
    """How far a search is."""

    trials: int
    """How many there will be."""
    best: float | None
    """The highest mean success of a trial that was trained to its end."""
    trial: Trial
    """The one that is trained."""
    training: TrainingStatus


class _PrunedError(Exception):
    """Ends the training of a trial that does badly."""


@dataclass
class _Watch:
    """Reports every evaluation of a run to its trial, and ends a run that is not worth more."""

    trial: optuna.Trial
    values: Mapping[str, Any]
    run: Run
    before: list[float]
    """Success at the evaluations of the seeds before."""
    on_progress: Callable[[Trial, TrainingStatus], None]
    reported: int = 0
    """Evaluations of this run so far."""

    def __call__(self, training: TrainingStatus) -> None:
        here = [row["success"] for row in self.run.metrics()]
        successes = [*self.before, *here]
        worth = mean(successes) if successes else None
        self.on_progress(Trial(self.trial.number, self.values, worth, pruned=False), training)
        if worth is not None and len(here) > self.reported:
            self.reported = len(here)
            self.trial.report(worth, len(successes))
            if self.trial.should_prune():
                raise _PrunedError


def show_nothing(_: TuningStatus) -> None:
    """Takes a status, and shows nothing."""


@dataclass(frozen=True)
class Search:
    """A search of a space in a folder, which can be stopped and run again."""

    space: SearchSpace
    folder: Path
    """Holds Optuna's database, and a run folder for each trial and seed."""
    seeds: int = 1
    """That each trial is trained on."""
    first_seed: int = 1000
    """Of them; apart from those that results are reported on."""
    store: Store | None = None
    """Of a language model's answers."""
    base_url: str | None = None
    """The endpoint of an `openai:` judge."""

    def run(
        self, trials: int = 20, on_progress: Callable[[TuningStatus], None] = show_nothing
    ) -> list[Trial]:
        """Runs trials until there are `trials`, and returns all, the best first.

        Interrupted or killed, the same call resumes, in the middle of the trial that was trained.

        Args:
            trials: in all, those of earlier calls included.
            on_progress: called after every rollout.

        Raises:
            UsageError: the folder holds a search of another space or other seeds.
            CalmError: training failed.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with owned(self.folder):
            study = self._open()
            for killed in study.get_trials(states=(TrialState.RUNNING,)):
                study.tell(killed.number, state=TrialState.FAIL)
                study.enqueue_trial(killed.params)
            while len(study.get_trials(states=_ENDED)) < trials:
                ended = study.get_trials(states=(TrialState.COMPLETE,))
                best = max((t.value for t in ended if t.value is not None), default=None)
                status = partial(TuningStatus, trials, best)
                self._try(study, lambda *now, status=status: on_progress(status(*now)))
            return _results(study)

    def _try(
        self, study: optuna.Study, on_progress: Callable[[Trial, TrainingStatus], None]
    ) -> None:
        """Trains one trial on every seed, and tells the study its worth or that it was pruned."""
        trial = study.ask()
        values = {field: _draw(trial, field, d) for field, d in self.space.search.items()}
        successes: list[float] = []
        """Of the evaluations of the seeds before."""
        try:
            for seed in range(self.first_seed, self.first_seed + self.seeds):
                run = self._open_run(values, seed)
                watch = _Watch(trial, values, run, successes, on_progress)
                rows = train(
                    run, store=self.store, base_url=self.base_url, resume=None, on_progress=watch
                )
                successes = [*successes, *(row["success"] for row in rows)]
        except _PrunedError:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, mean(successes))

    def _open_run(self, values: Mapping[str, Any], seed: int) -> Run:
        """Returns the run of a choice and a seed; one that was stopped before is found again."""
        name = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        folder = self.folder / "runs" / name / f"seed{seed}"
        if folder.exists():
            return Run.open(folder)
        return Run.create(folder, self.space.config(values, seed))

    def _open(self) -> optuna.Study:
        """Returns the study in the folder, a new one if there is none.

        Raises:
            UsageError: it is of another space or other seeds.
        """
        study = optuna.create_study(
            storage=f"sqlite:///{self.folder / DATABASE}",
            study_name="calm tune",
            sampler=optuna.samplers.TPESampler(
                seed=self.first_seed, n_startup_trials=STARTUP_TRIALS
            ),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
            direction="maximize",
            load_if_exists=True,
        )
        about = {
            "settings": json.dumps(self.space.settings, sort_keys=True),
            "search": repr(sorted(self.space.search.items())),
            "seeds": [self.first_seed, self.seeds],
        }
        before = study.user_attrs
        for key, value in about.items():
            if before and before.get(key) != value:
                raise UsageError(
                    f"{self.folder} holds a search with other {key}; name another folder with"
                    " --out, or search as it was begun"
                )
            study.set_user_attr(key, value)
        return study


def _draw(trial: optuna.Trial, field: str, dimension: Interval | Choices) -> Any:
    """Returns a value of one field for a trial."""
    if not isinstance(dimension, Interval):
        return trial.suggest_categorical(field, dimension)
    if dimension.whole:
        low, high = int(dimension.low), int(dimension.high)
        return trial.suggest_int(field, low, high, log=dimension.log)
    return trial.suggest_float(field, dimension.low, dimension.high, log=dimension.log)


def _results(study: optuna.Study) -> list[Trial]:
    """Returns the trials that have ended, the best first; those that were pruned come last."""
    ended = [_result(trial) for trial in study.get_trials(states=_ENDED)]
    return sorted(ended, key=lambda t: (t.pruned, -(t.success or 0.0), t.number))


def _result(trial: FrozenTrial) -> Trial:
    """Returns what came of a trial that has ended."""
    pruned = trial.state == TrialState.PRUNED
    last = trial.intermediate_values[max(trial.intermediate_values)] if pruned else trial.value
    return Trial(trial.number, trial.params, last, pruned)


def write_best(space: SearchSpace, best: Trial, path: Path) -> None:
    """Writes the settings of the best trial as YAML for `calm train --config`, without the seed."""
    settings = {**space.settings, **best.values}
    head = f"# The best trial of `calm tune {space.name}`: mean success {best.success:.3f}.\n"
    write_file(path, head + yaml.safe_dump(settings, sort_keys=False))
