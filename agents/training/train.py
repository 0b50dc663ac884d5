"""Trains one run: PPO on the environment's reward plus judged credit, evaluated as it goes.

The environment's reward, the credit and their sum are three numbers, logged apart. Success is
measured on levels that training never sees, on the environment's own reward.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv

from agents.ppo.glibc_memory import keep_memory
from agents.training.agent import make_ppo
from agents.training.checkpoint import State, judge_state, restore, restore_judge, snapshot
from agents.training.config import TrainConfig
from agents.training.credit_source import Shaper
from agents.training.environment import kept_subgoals, make_env, shaper_of
from agents.training.evaluation import Success, measure_success
from agents.training.loggers import make_logger
from agents.training.run_folder import Row, Run
from calm.annotation.live import PENDING, Annotator
from calm.errors import BudgetError, EndpointError
from calm.records import Usage
from calm.store.store import Store
from envs.credit.noisy import NoisyStream
from envs.interfaces.sb3_vec import Sb3Vec
from envs.truth.tally import KEYS as TALLIED
from envs.truth.tally import Tally


@dataclass(frozen=True)
class Progress:
    """Where a training run stands."""

    steps: int
    total: int
    steps_per_second: float
    """Of collection and update, evaluations not counted."""
    success: float | None
    """At the last evaluation on held-out levels."""
    asked: int
    """Distinct questions put to the judge so far."""
    pending: int = 0
    """Of these, not answered yet."""
    waiting: float = 0.0
    """Seconds that training has been waiting for answers."""


def ignore(_: Progress) -> None:
    """Shows no progress."""


@dataclass
class Clock:
    """Seconds of training and of evaluation, apart; both go on over a resumed run."""

    training: float = 0.0
    evaluating: float = 0.0


class Trainer(BaseCallback):
    """Evaluates, logs, checkpoints and reports progress between rollouts."""

    def __init__(
        self,
        run: Run,
        held_out: VecEnv,
        tally: Tally,
        shaper: Shaper,
        clock: Clock,
        rows: list[Row],
        on_progress: Callable[[Progress], None],
    ) -> None:
        super().__init__()
        self.run, self.held_out, self.shaper, self.clock = run, held_out, shaper, clock
        self.config: TrainConfig = run.config
        self.tally = tally
        self.rows = rows
        self.on_progress = on_progress
        self.since = time.perf_counter()
        self.spent = Usage()
        """What the judge cost before the run was last started."""
        self.standing: State = {}
        """Where training stood before the present rollout."""
        self.kept = 0
        """Steps done at the last checkpoint."""

    def _on_training_start(self) -> None:
        self.since = time.perf_counter()
        self.kept = self.num_timesteps
        self.stand()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        config = self.config
        if config.ent_coef_end is not None:
            done = min(1.0, self.num_timesteps / config.steps)
            self.model.ent_coef = config.ent_coef + done * (config.ent_coef_end - config.ent_coef)
        done = self.rows[-1]["steps"] if self.rows else -self.config.eval_every
        if self.num_timesteps - done >= self.config.eval_every:
            self.evaluate()
        else:
            self.stand()
            if self.num_timesteps - self.kept >= self.config.checkpoint_every:
                self.checkpoint()

    def _on_rollout_end(self) -> None:
        for name, value in self.recent().items():
            if value is not None:
                self.logger.record(f"calm/{name}", value)
        self.report()

    def stop_clock(self) -> None:
        """Books the time since the last call as training."""
        now = time.perf_counter()
        self.clock.training += now - self.since
        self.since = now

    def recent(self) -> Row:
        """Means over the last episodes of training, and what the judge was asked."""
        ended = list(self.model.ep_info_buffer or ())

        def mean(key: str) -> float | None:
            return float(np.mean([e[key] for e in ended])) if ended else None

        row: Row = {
            "train_success": mean("success"),
            "return_env": mean("r_env"),
            "return_credit": mean("credit"),
            "return_shaped": mean("r"),
            "episode_length": mean("l"),
        }
        if isinstance(self.shaper, Annotator):
            spent = self.spent + self.shaper.usage
            row |= {
                "asked": self.shaper.asked,
                "judged": self.num_timesteps,
                "unreadable": sum(n for v, n in self.shaper.verdicts.items() if not v.readable),
                "pending": self.shaper.pending,
                "requests": spent.requests,
                "prompt_tokens": spent.prompt_tokens,
                "completion_tokens": spent.completion_tokens,
                "cost": spent.cost,
            }
        heard = getattr(getattr(self.training_env, "episodes", None), "shaping", None)
        if heard is not None:
            # Steps that were trained on without an answer.
            row |= {
                "steps_unreadable": heard.counts.unreadable,
                "steps_pending": heard.counts.pending,
            }
            if isinstance(heard.source, NoisyStream):
                # In this run's own play; the spec speaks of the reference's.
                row |= {
                    "judge_precision": heard.source.precision,
                    "judge_recall": heard.source.recall,
                }
        return row

    def report(self, waiting: float = 0.0) -> None:
        """Says where training stands, and for how long the judge has been waited for."""
        self.stop_clock()
        self.on_progress(
            Progress(
                self.num_timesteps,
                self.config.steps,
                self.num_timesteps / max(self.clock.training, 1e-9),
                self.rows[-1]["success"] if self.rows else None,
                self.shaper.asked if isinstance(self.shaper, Annotator) else 0,
                self.shaper.pending if isinstance(self.shaper, Annotator) else 0,
                waiting,
            )
        )

    def evaluate(self) -> None:
        """Plays the held-out levels, adds a row to the metrics and replaces the checkpoint."""
        self.stop_clock()
        last = self.num_timesteps >= self.config.steps
        found = self.play_held_out(greedy=False)
        greedy = self.play_held_out(greedy=True) if last or self.config.eval_greedy else None
        low, high = found.interval
        self.clock.evaluating += time.perf_counter() - self.since
        self.since = time.perf_counter()
        self.rows.append(
            {
                "steps": self.num_timesteps,
                "success": found.rate,
                "success_low": low,
                "success_high": high,
                "success_greedy": greedy.rate if greedy else None,
                "episodes": found.episodes,
                "test_return_env": found.return_env,
                "test_length": found.length,
                "test_credit": found.credit,
                "repeats": found.repeats("truth"),
                "judged_repeats": found.repeats("judge"),
                "subgoals": [t._asdict() for t in found.subgoals],
                "seconds": self.clock.training,
                "eval_seconds": self.clock.evaluating,
            }
            | self.recent()
        )
        # Apart from what the last update has left for SB3 to log after the next rollout.
        tested = Logger(None, self.logger.output_formats)
        for key in ("success", "test_return_env", "test_length"):
            tested.record(f"test/{key}", self.rows[-1][key])
        tested.dump(self.num_timesteps)
        self.run.write_metrics(self.rows)
        if isinstance(self.shaper, Annotator):
            self.run.write_judged(answers(self.shaper))
        self.stand()
        self.checkpoint()
        self.report()

    def play_held_out(self, greedy: bool) -> Success:
        """The same levels and the same luck every time; the luck of training is not touched."""
        with torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            self.held_out.seed(self.config.seed)
            return measure_success(
                self.model, self.held_out, self.config.eval_episodes, self.tally, greedy=greedy
            )

    def stand(self) -> None:
        """Takes down where training stands; nothing else could be gone on with in mid-rollout."""
        self.stop_clock()
        assert isinstance(self.training_env, Sb3Vec)
        self.standing = snapshot(self.model, self.training_env) | {
            "training_seconds": self.clock.training,
            "eval_seconds": self.clock.evaluating,
            "judge": judge_state(self.shaper) if isinstance(self.shaper, Annotator) else None,
        }

    def checkpoint(self) -> None:
        """Replaces the checkpoint by where training stood before the present rollout, if any."""
        if not self.standing:
            return
        self.run.save_checkpoint(self.standing)
        self.kept = self.standing["steps"]


def answers(annotator: Annotator) -> dict[str, list[str] | None]:
    """By text that was answered: names of the subgoals it achieves, None where unreadable."""
    names = [s.name for s in annotator.subgoals]
    return {
        text: None if min(row) < 0 else [n for n, yes in zip(names, row, strict=True) if yes]
        for text, row in zip(annotator.texts, annotator.table.tolist(), strict=True)
        if PENDING not in row
    }


def train(
    run: Run,
    *,
    store: Store | None = None,
    base_url: str | None = None,
    resume: bool = False,
    workers: int | None = 0,
    threads: int = 1,
    on_progress: Callable[[Progress], None] = ignore,
) -> list[Row]:
    """Trains `run` to its last step and returns its metrics, one row an evaluation.

    Ctrl-C saves a checkpoint and is passed on; so are the errors of an endpoint that is silent for
    longer than the run's `patience`, and of a limit on spending. `resume=True` goes on from the
    last checkpoint as it was, see `agents.training.checkpoint`, also after a kill.

    Args:
        run: a folder that `Run.create` made.
        store: where a language model's answers are kept and looked up.
        base_url: the endpoint of an `openai:` judge.
        resume: go on from the checkpoint instead of starting.
        workers: processes that play the games; 0 plays them in this one, None takes one a core.
            The run is the same.
        threads: that compute an update; the run is the same.
        on_progress: called after every rollout.
    """
    config = run.config
    clock = Clock()
    state = run.load_checkpoint() if resume else None
    rows = [r for r in run.metrics() if r["steps"] <= state["steps"]] if state else []
    subgoals = kept_subgoals(run, store, base_url)
    shaper = shaper_of(config, subgoals, store, base_url)
    torch.set_num_threads(1)
    keep_memory()

    n_eval = next(
        n for n in range(min(50, config.eval_episodes), 0, -1) if config.eval_episodes % n == 0
    )
    made = partial(make_env, config, shaper=shaper, subgoals=subgoals, seed=config.seed)
    env = made(n_envs=config.n_envs, split="train", workers=workers)
    held_out = made(n_envs=n_eval, split="test", extra_keys=TALLIED, workers=workers)
    tally = Tally(held_out.batch, held_out.episodes.shaping, config.described)
    try:
        model = make_ppo(config, env, threads)
        env.seed(config.seed)
        model.set_logger(make_logger(run, state["steps"] if state else None))
        trainer = Trainer(run, held_out, tally, shaper, clock, rows, on_progress)
        if state:
            clock.training, clock.evaluating = state["training_seconds"], state["eval_seconds"]
            if isinstance(shaper, Annotator) and state["judge"]:
                trainer.spent = restore_judge(shaper, state["judge"])
            restore(model, env, state)
            run.note_resumed(model.num_timesteps)
        if isinstance(shaper, Annotator):
            shaper.on_wait = trainer.report
        try:
            model.learn(
                max(0, config.steps - model.num_timesteps),
                callback=trainer,
                reset_num_timesteps=state is None,
            )
            if not rows or rows[-1]["steps"] < model.num_timesteps:
                trainer.evaluate()
            if isinstance(shaper, Annotator):
                shaper.wait()  # what is still pending was asked, so it is kept
                run.write_judged(answers(shaper))
        except KeyboardInterrupt:
            trainer.checkpoint()
            raise
        except (EndpointError, BudgetError) as stop:
            trainer.checkpoint()
            raise type(stop)(
                f"{stop}. Training has stopped at step {model.num_timesteps:,} and kept a"
                f" checkpoint; go on with `calm train --resume {run.folder}`"
            ) from stop
        finally:
            model.logger.close()
    finally:
        env.close()
        held_out.close()
    return rows
