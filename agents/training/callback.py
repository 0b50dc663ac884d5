"""Does what happens between two rollouts of a run: evaluation, metrics, checkpoints, progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv

from agents.training.credit_source import CreditSource
from agents.training.evaluation import Success, measure_same
from agents.training.run.checkpoint import State, judge_state, snapshot
from agents.training.run.folder import Row, Run
from agents.training.run.status import TrainingStatus
from agents.training.settings.config import TrainConfig
from calm.annotation.live import PENDING, Annotator, Waiting
from calm.judges.student import StudentJudge
from calm.records import Judgement, Usage
from envs.credit.noisy import NoisyStream
from envs.credit.shaping import BatchCredit
from envs.interfaces.sb3_vec import Sb3Vec
from envs.truth.tally import Tally


@dataclass
class Clock:
    """Seconds of training and of evaluation, apart; a resumed run continues both."""

    training: float = 0.0
    """Of collection and update."""
    training_cpu: float = 0.0
    """The same by the processor: other work on the machine lengthens it less."""
    evaluating: float = 0.0
    """Of evaluations."""


class RunCallback(BaseCallback):
    """Evaluates, logs, checkpoints and reports progress between rollouts; a callback of SB3's.

    Args:
        run: the folder that everything is written into.
        held_out: environments of the levels to evaluate on.
        tally: counts the subgoals achieved in `held_out`.
        source: of the credit in training.
        clock: seconds spent so far.
        rows: the metrics so far, one row an evaluation; new ones are appended.
        on_progress: called after every rollout and evaluation.
    """

    def __init__(
        self,
        run: Run,
        held_out: VecEnv,
        tally: Tally,
        source: CreditSource,
        clock: Clock,
        rows: list[Row],
        on_progress: Callable[[TrainingStatus], None],
    ) -> None:
        super().__init__()
        self.run, self.held_out, self.clock = run, held_out, clock
        self.config: TrainConfig = run.config
        self.annotator = source if isinstance(source, Annotator) else None
        """The judge behind its memory; None where no judge is asked."""
        self.tally = tally
        self.rows = rows
        self.on_progress = on_progress
        self.start_clock()
        self.usage_before = Usage()
        """The judge's usage before the run was last started."""
        self.resume_state: State = {}
        """The state before the present rollout; empty before the first one."""
        self.last_checkpoint_step = 0
        """Steps done at the last checkpoint."""

    @property
    def shaping(self) -> BatchCredit | None:
        """What pays credit in training; None where nothing does."""
        assert isinstance(self.training_env, Sb3Vec)
        return self.training_env.episodes.shaping

    def _on_training_start(self) -> None:
        self.start_clock()
        self.last_checkpoint_step = self.num_timesteps
        self.remember_state()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        config = self.config
        self.model.ent_coef = config.scheduled("ent_coef", self.num_timesteps)
        if (shaping := self.shaping) is not None:
            shaping.weight = config.scheduled("weight", self.num_timesteps)
        evaluated_at = self.rows[-1]["steps"] if self.rows else -config.eval_every
        if self.num_timesteps - evaluated_at >= config.eval_every:
            self.evaluate()
        else:
            self.remember_state()
            if self.num_timesteps - self.last_checkpoint_step >= config.checkpoint_every:
                self.checkpoint()

    def _on_rollout_end(self) -> None:
        for name, value in self.recent().items():
            if value is not None:
                self.logger.record(f"calm/{name}", value)
        self.report()

    def start_clock(self) -> None:
        """Begins a span of time, of training or of an evaluation."""
        self.since, self.cpu_since = time.perf_counter(), time.process_time()

    def stop_clock(self) -> None:
        """Adds the span to that of training and begins the next."""
        self.clock.training += time.perf_counter() - self.since
        self.clock.training_cpu += time.process_time() - self.cpu_since
        self.start_clock()

    def recent(self) -> Row:
        """Returns means over the last episodes of training, and counts of the judge's questions."""
        episodes = list(self.model.ep_info_buffer or ())

        def mean(key: str) -> float | None:
            # An episode of a run begun before there were bonuses has none.
            return float(np.mean([e.get(key, 0.0) for e in episodes])) if episodes else None

        row: Row = {
            "train_success": mean("success"),
            "return_env": mean("r_env"),
            "return_credit": mean("credit"),
            "return_bonus": mean("bonus"),
            "return_shaped": mean("r"),
            "episode_length": mean("l"),
        }
        judge = self.annotator
        if judge is not None:
            usage = self.usage_before + judge.usage
            row |= {
                "asked": judge.questions,
                "judged": self.num_timesteps,
                "unreadable": sum(n for v, n in judge.verdicts.items() if not v.readable),
                "pending": judge.pending,
                "by_student": _by_student(judge),
                "requests": usage.requests,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cost": usage.cost,
            }
        if (shaping := self.shaping) is not None:
            # Steps that were trained on without an answer.
            row |= {
                "steps_unreadable": shaping.counts.unreadable,
                "steps_pending": shaping.counts.pending,
            }
            if isinstance(shaping.source, NoisyStream):
                # In this run's own play; the spec is about the reference's.
                row |= {
                    "judge_precision": shaping.source.precision,
                    "judge_recall": shaping.source.recall,
                }
        return row

    def report(self, waiting: Waiting | None = None) -> None:
        """Calls `on_progress` with the present status.

        Args:
            waiting: for the judge, if training waits for it.
        """
        self.stop_clock()
        waiting = waiting or Waiting()
        self.on_progress(
            TrainingStatus(
                self.num_timesteps,
                self.config.total_steps,
                self.num_timesteps / max(self.clock.training, 1e-9),
                self.rows[-1]["success"] if self.rows else None,
                self.annotator.questions if self.annotator else 0,
                self.annotator.pending if self.annotator else 0,
                waiting.seconds,
                waiting.answered,
                waiting.questions,
                waiting.per_second,
                _by_student(self.annotator),
            )
        )

    def evaluate(self) -> None:
        """Plays the held-out levels, adds a row to the metrics and replaces the checkpoint."""
        self.stop_clock()
        last = self.num_timesteps >= self.config.steps
        sampled = self.play_held_out(greedy=False)
        greedy = self.play_held_out(greedy=True) if last or self.config.eval_greedy else None
        low, high = sampled.interval
        self.clock.evaluating += time.perf_counter() - self.since
        self.start_clock()
        self.remember_state()  # whatever ends the run while files are written keeps this
        self.rows.append(
            {
                "steps": self.num_timesteps,
                "success": sampled.rate,
                "success_low": low,
                "success_high": high,
                "success_greedy": greedy.rate if greedy else None,
                "episodes": sampled.episodes,
                "test_return_env": sampled.return_env,
                "test_length": sampled.length,
                "test_credit": sampled.credit,
                "repeats": sampled.repeats("truth"),
                "judged_repeats": sampled.repeats("judge"),
                "subgoals": [t._asdict() for t in sampled.subgoals],
                "seconds": self.clock.training,
                "cpu_seconds": self.clock.training_cpu,
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
        if self.annotator is not None:
            self.write_answers(self.annotator)
        self.checkpoint()
        self.report()

    def write_answers(self, annotator: Annotator) -> None:
        """Writes the answers so far into the run's folder, some in the model's own words."""
        self.run.write_judged(answers(annotator))
        if examples := examples_of(annotator.judgements):
            self.run.write_words(examples)

    def play_held_out(self, greedy: bool) -> Success:
        """Returns success on the held-out levels, always the same."""
        config = self.config
        return measure_same(
            self.model, self.held_out, config.eval_episodes, config.seed, self.tally, greedy=greedy
        )

    def remember_state(self) -> None:
        """Snapshots the state before a rollout.

        A half-collected rollout cannot be resumed, so an interrupted run is saved from here.
        """
        self.stop_clock()
        assert isinstance(self.training_env, Sb3Vec)
        self.resume_state = snapshot(self.model, self.training_env) | {
            "training_seconds": self.clock.training,
            "training_cpu_seconds": self.clock.training_cpu,
            "eval_seconds": self.clock.evaluating,
            "judge": judge_state(self.annotator) if self.annotator else None,
        }

    def checkpoint(self) -> None:
        """Writes the state before the present rollout, if there is one, as the run's checkpoint."""
        if not self.resume_state:
            return
        self.run.save_checkpoint(self.resume_state)
        self.last_checkpoint_step = self.resume_state["steps"]


MOST_EXAMPLES = 8
"""Answers of a model that a run keeps in its words."""


def examples_of(judgements: Mapping[str, Judgement]) -> dict[str, Judgement]:
    """Returns some answers of a model by text, unreadable ones first, then of all that it achieves.

    The first of each kind; none of a judge that has no words.
    """
    first: dict[object, str] = {}
    for text, one in judgements.items():
        kind = frozenset(n for n, yes in one.achieved.items() if yes) or one.verdict
        if one.raw:
            first.setdefault(kind, text)
    ordered = sorted(first.values(), key=lambda text: judgements[text].verdict.readable)
    return {text: judgements[text] for text in ordered[:MOST_EXAMPLES]}


def answers(annotator: Annotator) -> dict[str, list[str] | None]:
    """Returns by answered text the subgoals that it achieves, None where unreadable."""
    names = [s.name for s in annotator.subgoals]
    return {
        text: None if min(row) < 0 else [n for n, yes in zip(names, row, strict=True) if yes]
        for text, row in zip(annotator.texts, annotator.table.tolist(), strict=True)
        if PENDING not in row
    }


def _by_student(annotator: Annotator | None) -> int:
    """Returns how many texts a student judge has answered itself; 0 where none judges."""
    judge = annotator.judge if annotator else None
    return judge.own if isinstance(judge, StudentJudge) else 0
