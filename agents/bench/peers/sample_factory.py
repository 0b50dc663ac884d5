"""Trains with Sample Factory 2.1, a contestant of `calm bench train`; runs where installed."""

from __future__ import annotations

import contextlib
import tempfile
import time
from typing import Any

from sample_factory.algo.runners.runner import AlgoObserver
from sample_factory.algo.utils.context import global_model_factory
from sample_factory.cfg.arguments import parse_full_cfg, parse_sf_args
from sample_factory.envs.env_utils import register_env
from sample_factory.model.encoder import Encoder
from sample_factory.train import make_runner

from agents.bench import settings
from agents.bench.network import SIZES, BenchNetwork

WARM = 2
"""Times that steps have been learned from before it is measured."""


def make_env(*_: Any, **__: Any) -> Any:
    """Returns one MiniHack environment, for Sample Factory's workers."""
    return settings.minihack()


class NetworkEncoder(Encoder):
    """The network of the bench; `experiment` names its size."""

    def __init__(self, cfg: Any, obs_space: Any) -> None:
        super().__init__(cfg)
        del obs_space
        self.network = BenchNetwork(cfg.experiment)

    def forward(self, observations: Any) -> Any:
        return self.network(*(observations[key] for key in settings.KEYS))

    def get_out_size(self) -> int:
        """Returns the number of features."""
        return SIZES[self.cfg.experiment].joint


class Enough(Exception):
    """Ends the training: it has been measured for long enough."""


class Watch(AlgoObserver):
    """Notes environment steps and the time whenever steps have been learned from."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.marks: list[tuple[int, float]] = []

    def on_training_step(self, runner: Any, training_iteration_since_resume: int) -> None:
        """Notes steps and time; raises `Enough` when it has been measured for long enough."""
        mark = sum(runner.env_steps.values()), time.perf_counter()
        if not self.marks or mark[0] > self.marks[-1][0]:
            self.marks.append(mark)
        if len(self.marks) > WARM + 1 and mark[1] - self.marks[WARM][1] >= self.seconds:
            raise Enough


def learn(size: str, seconds: float, asynchronous: bool) -> settings.StepsAndSeconds:
    """Trains with a worker a core, in turns or asynchronously; returns steps and seconds."""
    register_env(settings.TASK, make_env)
    global_model_factory().register_encoder_factory(NetworkEncoder)
    with tempfile.TemporaryDirectory() as folder:
        arguments = {
            "env": settings.TASK,
            "experiment": size,
            "train_dir": folder,
            "device": "cpu",
            "async_rl": asynchronous,
            "num_workers": settings.CORES,
            "num_envs_per_worker": settings.ENVS // settings.CORES,
            "worker_num_splits": 2 if asynchronous else 1,
            "rollout": settings.STEPS,
            "batch_size": settings.ROLLOUT // settings.MINIBATCHES,
            "num_batches_per_epoch": settings.MINIBATCHES,
            "num_epochs": settings.EPOCHS,
            "use_rnn": False,
            "recurrence": 1,
            "normalize_input": False,
            "normalize_returns": False,
            "gamma": settings.GAMMA,
            "gae_lambda": settings.LAMBDA,
            "learning_rate": settings.RATE,
            "exploration_loss_coeff": settings.ENTROPY,
            "max_grad_norm": 0.5,
            "save_every_sec": 10**6,
            "decorrelate_experience_max_seconds": 0,
            "with_wandb": False,
        }
        words = [f"--{name}={value}" for name, value in arguments.items()]
        parser, _ = parse_sf_args(words)
        _, runner = make_runner(parse_full_cfg(parser, words))
        watch = Watch(seconds)
        runner.register_observer(watch)
        runner.init()
        with contextlib.suppress(Enough):
            runner.run()
    (before, start), (after, end) = watch.marks[WARM], watch.marks[-1]
    return after - before, end - start
