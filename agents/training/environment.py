"""The environments of a run and what pays credit in them, built from its settings."""

from __future__ import annotations

from collections.abc import Sequence

from agents.training.config import TrainConfig
from agents.training.credit_source import Shaper, make_shaper
from agents.training.run_folder import Run
from calm.records import Subgoal
from calm.store.store import Store
from calm.subgoals import find_subgoals
from envs import make_vec
from envs.interfaces.sb3_vec import Sb3Vec
from envs.tasks import task as find_task


def subgoals_of(config: TrainConfig, store: Store | None = None) -> tuple[Subgoal, ...]:
    """The subgoals that settings name; none where there is no judge.

    Raises:
        UsageError: there are none of that name, see `calm.decompose.find_subgoals`.
    """
    if config.judge == "none":
        return ()
    return find_subgoals(config.subgoals, find_task(config.task), store)


def kept_subgoals(run: Run, store: Store | None = None) -> tuple[Subgoal, ...]:
    """The subgoals of a run, which stay those that it began with: a file or a store may change.

    Raises:
        UsageError: as `subgoals_of`, or what the run has kept can't be read.
    """
    kept = run.subgoals()
    if kept is not None:
        return kept
    config = run.config
    found = subgoals_of(config, store)
    if found and config.subgoals != "given":
        run.keep_subgoals(found)
    return found


def shaper_of(
    config: TrainConfig,
    subgoals: Sequence[Subgoal],
    store: Store | None = None,
    base_url: str | None = None,
) -> Shaper:
    """What pays credit while a run trains, see `agents.training.credit_source.make_shaper`."""
    return make_shaper(
        config.judge,
        find_task(config.task),
        subgoals,
        store,
        base_url,
        config.seed,
        ask=config.ask,
        patience=config.patience,
        most_pending=config.most_pending,
    )


def make_env(
    config: TrainConfig,
    n_envs: int,
    shaper: Shaper,
    subgoals: Sequence[Subgoal],
    *,
    split: str,
    seed: int,
    extra_keys: Sequence[str] = (),
    workers: int | None = 0,
) -> Sb3Vec:
    """The environments that a run's agent is trained in, or played in on other levels.

    Args:
        n_envs: B.
        shaper: pays the credit, see `agents.training.credit_source.make_shaper`.
        subgoals: that pay.
        split: of the levels: train, test or data.
        seed: of the levels.
        extra_keys: what observers of the batch read and the agent does not.
        workers: processes that play the games; 0 plays them in this one, None takes one a core.
    """
    return make_vec(
        config.task,
        n_envs,
        kind="sb3",
        split=split,
        seed=seed,
        keys=config.keys,
        extra_keys=extra_keys,
        crop=config.crop,
        penalty=config.penalty,
        judge=shaper,
        subgoals=subgoals or None,
        shaping=config.shaping,
        weight=config.weight,
        gamma=config.gamma,
        window=config.looks_back,
        workers=workers,
    )
