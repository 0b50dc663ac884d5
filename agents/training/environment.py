"""Makes the environments of a run and what pays credit in them, from its settings."""

from __future__ import annotations

from collections.abc import Sequence

from agents.bonus.make import make_bonus
from agents.training.credit_source import Asking, CreditSource, make_credit_source
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.decompose import decompose
from calm.errors import UsageError
from calm.judges import asks_model, make_judge, teacher_of
from calm.judges.openai import OpenAIJudge
from calm.records import Subgoal
from calm.store.store import Store
from calm.subgoals import find_subgoals
from envs import make_vec
from envs.interfaces.sb3_vec import Sb3Vec
from envs.truth.make import check_truth


def subgoals_of(
    config: TrainConfig, store: Store | None = None, base_url: str | None = None
) -> tuple[Subgoal, ...]:
    """Returns the subgoals that settings name; none where there is no judge.

    Where the task has no given ones, the judge's model is asked for some, once: the store keeps
    them.

    Args:
        store: where stored lists and a model's answers are.
        base_url: the endpoint of an `openai:` judge.

    Raises:
        UsageError: there are none of that name, see `calm.subgoals.find_subgoals`; or none are
            given and the judge is no model that could name some.
    """
    if config.judge == "none":
        return ()
    task = config.described
    if config.subgoals == "given" and not task.subgoals and asks_model(config.judge):
        judge = make_judge(teacher_of(config.judge), store=store, base_url=base_url)
        try:
            return decompose(task, judge, store)
        finally:
            if isinstance(judge, OpenAIJudge):
                judge.close()
    return find_subgoals(config.subgoals, task, store)


def subgoals_of_run(
    run: Run, store: Store | None = None, base_url: str | None = None
) -> tuple[Subgoal, ...]:
    """Returns the subgoals that a run began with, whatever a file or a store holds by now.

    Raises:
        UsageError: as `subgoals_of`, or the run's own file of them can't be read.
    """
    stored = run.subgoals()
    if stored is not None:
        return stored
    subgoals = subgoals_of(run.config, store, base_url)
    if subgoals:  # given ones too, which another version of this code may give otherwise
        run.keep_subgoals(subgoals)
    return subgoals


def credit_source_of(
    config: TrainConfig,
    subgoals: Sequence[Subgoal],
    store: Store | None = None,
    base_url: str | None = None,
) -> CreditSource:
    """Returns the source of a run's credit, see `agents.training.credit_source`.

    Raises:
        UsageError: the judge can't be built, or the truth that it needs is not known.
    """
    kind = config.judge.partition(":")[0]
    if kind in ("truth", "noisy"):
        check_truth(config.task, subgoals)
    if kind == "noisy" and config.own_task is not None:
        raise UsageError(
            "a noisy judge is set by reference play, which knows only MiniHack's own tasks;"
            f" judge {config.task} by truth, or by a model"
        )
    return make_credit_source(
        config.judge,
        config.described,
        subgoals,
        store,
        base_url,
        config.seed,
        Asking(
            ask=config.ask,
            patience=config.patience,
            ask_again=config.ask_again,
            most_pending=config.most_pending,
            form=config.form,
            thresholds=config.thresholds,
        ),
    )


def make_env(
    config: TrainConfig,
    n_envs: int,
    source: CreditSource,
    subgoals: Sequence[Subgoal],
    *,
    split: str,
    seed: int,
    extra_keys: Sequence[str] = (),
    workers: int | None = 0,
    training: bool = False,
) -> Sb3Vec:
    """Makes the environments that a run's agent is trained in, or plays in on other levels.

    Args:
        n_envs: B.
        source: of the credit, see `agents.training.credit_source.make_credit_source`.
        subgoals: that pay.
        split: of the levels: train, test or data.
        seed: of the levels.
        extra_keys: what observers of the batch read and the agent does not.
        workers: processes that play the games; 0 plays them in this one, None takes one a core.
        training: pay the run's bonus and cut episodes that stall; where nothing is learned the one
            would change nothing, and the other make other episodes.
    """
    return make_vec(
        config.described,
        n_envs,
        kind="sb3",
        split=split,
        seed=seed,
        keys=config.keys,
        extra_keys=extra_keys,
        crop=config.crop,
        penalty=config.penalty,
        judge=source,
        subgoals=subgoals or None,
        shaping=config.shaping,
        weight=config.weight,
        gamma=config.gamma,
        bonus=make_bonus(config.bonus, config.n_steps, config.seed) if training else None,
        bonus_weight=config.bonus_weight,
        window=config.looks_back,
        workers=workers,
        descriptions=config.descriptions,
        stall=config.stall if training else 0,
    )
