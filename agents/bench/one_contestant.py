"""Runs one contestant of `calm bench train`, in a process of its own with its own threads.

    python -m agents.bench.one_contestant NAME SIZE SECONDS

is what the bench starts for each, with the interpreter that the contestant is installed for. It is
no command for users; started by hand it shows why a contestant fails. It trains for about so many
seconds after a warm-up and prints {"steps", "seconds"} as its last line.

All play KeyRoom-S5 with the keys and the network of `agents.bench.network`, 16 environments, 128
steps, 4 epochs of 4 minibatches, and the same other settings. All but ours step MiniHack through
gymnasium. Sample Factory and PufferLib run from environments of their own, see `make bench-peers`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from agents.bench import settings
from agents.bench.network import BenchExtractor

LSTM = 128
"""Width of an LSTM."""

Contestant = Callable[[str, float], settings.StepsAndSeconds]
"""Trains a network of a size of `agents.bench.network.SIZES` for about so many seconds."""


def ours_env(workers: int | None) -> Any:
    """Returns our environments, played by so many processes."""
    from envs import make_vec

    return make_vec(settings.TASK, settings.ENVS, kind="sb3", keys=settings.KEYS, workers=workers)


def ppo(kind: Any, env: Any, size: str, device: str = settings.DEVICE, **more: Any) -> Any:
    """Returns an SB3 PPO, or ours, recurrent or not, with the settings of the bench.

    Args:
        kind: its class.
        env: vectorised environments.
        size: of the network.
        device: where the network is.
        **more: arguments of the class; `policy` is added to `policy_kwargs`.
    """
    return kind(
        "MultiInputLstmPolicy" if "Recurrent" in kind.__name__ else "MultiInputPolicy",
        env,
        n_steps=settings.STEPS,
        batch_size=settings.ROLLOUT // settings.MINIBATCHES,
        n_epochs=settings.EPOCHS,
        gamma=settings.GAMMA,
        gae_lambda=settings.LAMBDA,
        learning_rate=settings.RATE,
        ent_coef=settings.ENTROPY,
        device=device,
        policy_kwargs={
            "features_extractor_class": BenchExtractor,
            "features_extractor_kwargs": {
                "size": size,
                "ours": kind.__module__.startswith("agents."),
            },
            "net_arch": [],
            **more.pop("policy", {}),
        },
        **more,
    )


def learn(model: Any, seconds: float) -> settings.StepsAndSeconds:
    """Trains whole rollouts with their updates, after one to warm up; returns steps and seconds."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Watch(BaseCallback):
        """Looks at the clock between an update and the next rollout."""

        marks: list[tuple[int, float]]

        def _on_training_start(self) -> None:
            self.marks = []

        def _on_step(self) -> bool:
            return len(self.marks) < 3 or self.marks[-1][1] - self.marks[1][1] < seconds

        def _on_rollout_start(self) -> None:
            self.marks.append((self.num_timesteps, time.perf_counter()))

    watch = Watch()
    model.learn(10**9, callback=watch)
    (before, start), (after, end) = watch.marks[1], watch.marks[-1]
    model.get_env().close()
    return after - before, end - start


def our_model(size: str, threads: int, lstm: int = 0, precision: str = "float32") -> Any:
    """Returns an agent of ours as `agents.training.train` sets it up; `lstm` is its width."""
    import torch

    from agents.ppo.fast_ppo import FastPPO
    from agents.ppo.fast_recurrent_ppo import FastRecurrentPPO
    from agents.ppo.glibc_memory import keep_memory

    torch.set_num_threads(1)
    keep_memory()
    policy: dict[str, Any] = {"optimizer_kwargs": {"eps": 1e-5, "fused": True}}
    if lstm:
        policy["lstm_hidden_size"] = lstm
    kind = FastRecurrentPPO if lstm else FastPPO
    return ppo(kind, ours_env(0), size, threads=threads, precision=precision, policy=policy)


def ours(size: str, seconds: float) -> settings.StepsAndSeconds:
    """Trains as `calm train` trains one agent on all cores."""
    return learn(our_model(size, settings.CORES), seconds)


def ours_bfloat16(size: str, seconds: float) -> settings.StepsAndSeconds:
    """Trains as `calm train --set precision=bfloat16` trains one agent on all cores."""
    return learn(our_model(size, settings.CORES, precision="bfloat16"), seconds)


def ours_one_core(size: str, seconds: float) -> settings.StepsAndSeconds:
    """Trains as `calm train` trains one of many agents: one thread and no other process."""
    return learn(our_model(size, 1), seconds)


def sb3_env(vec_env: str) -> Any:
    """Returns MiniHack's environments in a class of stable-baselines3."""
    from stable_baselines3.common import vec_env as kinds
    from stable_baselines3.common.monitor import Monitor

    return getattr(kinds, vec_env)([lambda: Monitor(settings.minihack())] * settings.ENVS)


def sb3(vec_env: str) -> Contestant:
    """Returns stable-baselines3 as its documentation sets it up, with its own threads."""

    def contest(size: str, seconds: float) -> settings.StepsAndSeconds:
        from stable_baselines3 import PPO

        return learn(ppo(PPO, sb3_env(vec_env), size), seconds)

    return contest


def ours_lstm(size: str, seconds: float) -> settings.StepsAndSeconds:
    """Trains as `calm train --memory lstm` trains one agent on all cores."""
    return learn(our_model(size, settings.CORES, LSTM), seconds)


def sb3_contrib(vec_env: str) -> Contestant:
    """Returns sb3-contrib's recurrent PPO, its LSTM shared by policy and value as ours."""

    def contest(size: str, seconds: float) -> settings.StepsAndSeconds:
        from sb3_contrib import RecurrentPPO

        more = {"lstm_hidden_size": LSTM, "shared_lstm": True, "enable_critic_lstm": False}
        return learn(ppo(RecurrentPPO, sb3_env(vec_env), size, policy=more), seconds)

    return contest


def sb3_ours(size: str, seconds: float) -> settings.StepsAndSeconds:
    """Trains stable-baselines3's PPO in our environments: what the environments alone bring."""
    from stable_baselines3 import PPO

    return learn(ppo(PPO, ours_env(None), size), seconds)


def env_alone(size: str, seconds: float) -> settings.StepsAndSeconds:
    """Steps our environments at random: nothing can be faster that learns after it plays."""
    del size
    env = ours_env(None)
    env.reset()
    actions = np.random.default_rng(0).integers(env.action_space.n, size=(1024, settings.ENVS))
    for row in actions[:64]:
        env.step(row)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for row in actions:
            env.step(row)
        done += actions.size
    taken = time.perf_counter() - start
    env.close()
    return done, taken


def update_alone(size: str, seconds: float) -> settings.StepsAndSeconds:
    """Updates on one rollout over and over: nothing can be faster that steps in no time."""
    model = our_model(size, settings.CORES)
    model.learn(settings.ROLLOUT)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        model.train()
        done += settings.ROLLOUT
    taken = time.perf_counter() - start
    model.get_env().close()
    return done, taken


def sample_factory(asynchronous: bool) -> Contestant:
    """Returns Sample Factory, see `agents.bench.peers.sample_factory`."""

    def contest(size: str, seconds: float) -> settings.StepsAndSeconds:
        from agents.bench.peers.sample_factory import learn

        return learn(size, seconds, asynchronous)

    return contest


def pufferlib(backend: str) -> Contestant:
    """Returns PufferLib, see `agents.bench.peers.pufferlib`."""

    def contest(size: str, seconds: float) -> settings.StepsAndSeconds:
        from agents.bench.peers.pufferlib import learn

        return learn(size, seconds, backend)

    return contest


CONTESTANTS: dict[str, Contestant] = {
    "ours": ours,
    "ours, bfloat16": ours_bfloat16,
    "ours, one core": ours_one_core,
    "SB3 DummyVecEnv": sb3("DummyVecEnv"),
    "SB3 SubprocVecEnv": sb3("SubprocVecEnv"),
    "SB3, our environments": sb3_ours,
    "Sample Factory, sync": sample_factory(False),
    "Sample Factory, async": sample_factory(True),
    "PufferLib, serial": pufferlib("Serial"),
    "PufferLib, multiprocessing": pufferlib("Multiprocessing"),
    "our environments alone": env_alone,
    "our update alone": update_alone,
}


REMEMBERING: dict[str, Contestant] = {
    "ours, lstm": ours_lstm,
    "ours, no memory": ours,
    "sb3-contrib DummyVecEnv, lstm": sb3_contrib("DummyVecEnv"),
    "sb3-contrib SubprocVecEnv, lstm": sb3_contrib("SubprocVecEnv"),
}
"""Contestants of `calm bench train --memory`."""


def main() -> None:
    """Trains by the contestant that the command line names, and prints its steps and seconds."""
    name, size, seconds = sys.argv[1:]
    output = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        steps, taken = (CONTESTANTS | REMEMBERING)[name](size, float(seconds))
    output.write(json.dumps({"steps": steps, "seconds": taken}) + "\n")
    output.flush()
    os._exit(0)  # some leave threads and processes behind


if __name__ == "__main__":
    main()
