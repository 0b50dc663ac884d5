"""Trains one run: PPO on the environment's reward plus credit and bonus, evaluated as it goes.

    r = r_env + weight * credit + bonus_weight * bonus

The environment's reward, the credit, the bonus and the sum are logged apart. Success is
measured on levels that training never sees, on the environment's own reward.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import torch

from agents.ppo.glibc_memory import keep_memory
from agents.training.agent import make_ppo
from agents.training.callback import Clock, RunCallback
from agents.training.environment import credit_source_of, make_env, subgoals_of_run
from agents.training.loggers import make_logger
from agents.training.run.checkpoint import restore, restore_judge
from agents.training.run.folder import Row, Run
from agents.training.run.lock import owned
from agents.training.run.status import StatusWriter, TrainingStatus, remove_status
from calm.annotation.live import Annotator
from calm.errors import CalmError
from calm.store.store import Store
from envs.truth.tally import KEYS as TALLIED
from envs.truth.tally import Tally


def show_nothing(_: TrainingStatus) -> None:
    """Takes a status, and shows nothing."""


def train(
    run: Run,
    *,
    store: Store | None = None,
    base_url: str | None = None,
    resume: bool | None = False,
    workers: int | None = 0,
    threads: int = 1,
    on_progress: Callable[[TrainingStatus], None] = show_nothing,
) -> list[Row]:
    """Trains `run` to its last step and returns its metrics, one row an evaluation.

    Whatever ends it early leaves a checkpoint: Ctrl-C, an endpoint that is silent for longer than
    the run's `patience`, a limit on spending, a full disk, any other error. `resume=True` resumes
    from it, also after a kill.

    Args:
        run: a folder that `Run.create` made.
        store: where a language model's answers are kept and looked up.
        base_url: the endpoint of an `openai:` judge.
        resume: from the checkpoint instead of starting; None resumes if there is one.
        workers: processes that play the games; 0 plays them in this one, None takes one a core.
            The run is the same.
        threads: that compute an update; the run is the same.
        on_progress: called after every rollout.

    Raises:
        UsageError: another process trains in the folder, or what is in it can't be used.
        CalmError: the error that ended training, of its own kind, with how to resume.
    """
    with owned(run.folder):
        if resume is None:
            resume = run.checkpoint_path.exists() or run.policy_path.exists()
        file = StatusWriter(run.folder)

        def report(status: TrainingStatus) -> None:
            file.write(status)
            on_progress(status)

        try:
            return _train(run, store, base_url, resume, workers, threads, report)
        finally:
            remove_status(run.folder)


def _train(
    run: Run,
    store: Store | None,
    base_url: str | None,
    resume: bool,
    workers: int | None,
    threads: int,
    on_progress: Callable[[TrainingStatus], None],
) -> list[Row]:
    config = run.config
    state = run.load_checkpoint() if resume else None
    rows = [r for r in run.metrics() if r["steps"] <= state["steps"]] if state else []
    if not resume:
        run.note_started(threads)
    subgoals = subgoals_of_run(run, store, base_url)
    source = credit_source_of(config, subgoals, store, base_url)
    annotator = source if isinstance(source, Annotator) else None
    torch.set_num_threads(1)
    keep_memory()

    n_eval = next(
        n for n in range(min(50, config.eval_episodes), 0, -1) if config.eval_episodes % n == 0
    )
    make = partial(make_env, config, source=source, subgoals=subgoals, seed=config.seed)
    with ExitStack() as closing:
        env = make(n_envs=config.n_envs, split="train", workers=workers, training=True)
        closing.callback(env.close)
        held_out = make(n_envs=n_eval, split="test", extra_keys=TALLIED, workers=workers)
        closing.callback(held_out.close)
        tally = Tally(held_out.batch, held_out.episodes.shaping, config.described)
        model = make_ppo(config, env, threads, subgoals)
        env.seed(config.seed)
        model.set_logger(make_logger(run, state["steps"] if state else None))

        def close_logger(kind: type[BaseException] | None, *_: object) -> None:
            with contextlib.suppress(*((OSError,) if kind else ())):  # the first error is raised
                model.logger.close()

        closing.push(close_logger)
        clock = Clock()
        callback = RunCallback(run, held_out, tally, source, clock, rows, on_progress)
        if state:
            clock.training, clock.evaluating = state["training_seconds"], state["eval_seconds"]
            # A checkpoint written before the processor's time was kept has none.
            clock.training_cpu = state.get("training_cpu_seconds", clock.training)
            if annotator and state["judge"]:
                callback.usage_before = restore_judge(annotator, state["judge"])
            restore(model, env, state)
            run.note_resumed(model.num_timesteps)
        if annotator:
            annotator.on_wait = callback.report
        try:
            model.learn(
                max(0, config.steps - model.num_timesteps),
                callback=callback,
                reset_num_timesteps=state is None,
            )
            if not rows or rows[-1]["steps"] < model.num_timesteps:
                callback.evaluate()
            if annotator:
                annotator.wait()  # for answers that are paid for already
                callback.write_answers(annotator)
        except BaseException as stop:
            _stop_with_checkpoint(callback, stop)
            raise
    return rows


def _stop_with_checkpoint(callback: RunCallback, stop: BaseException) -> None:
    """Writes a checkpoint and adds to the error that has stopped training how to resume it.

    Args:
        callback: of the run.
        stop: the error; its message gets the step and the command that resumes.

    Raises:
        CalmError: Ctrl-C stopped it and the checkpoint can't be written; or a file can't be.
    """
    try:
        callback.checkpoint()
        saved = "kept a checkpoint"
    except (CalmError, OSError) as failure:
        where = "it has no checkpoint yet"
        if callback.run.checkpoint_path.exists():
            where = f"its last checkpoint is of step {callback.last_checkpoint_step:,}"
        saved = where if failure is stop or str(failure) == str(stop) else f"{failure}; {where}"
        if isinstance(stop, KeyboardInterrupt):
            raise CalmError(f"{failure}; {where}") from failure
    advice = (
        f"Training has stopped at step {callback.num_timesteps:,} and {saved};"
        f" resume it with `calm train --resume {callback.run.folder}`"
    )
    if isinstance(stop, CalmError):
        stop.args = (f"{stop}. {advice}",)
    elif isinstance(stop, OSError):
        of = f"{stop.filename}: " if stop.filename else ""
        raise CalmError(f"{of}{stop.strerror or stop}. {advice}") from stop
    elif isinstance(stop, Exception):
        stop.add_note(advice)
