"""Measures the seconds until an agent finishes 90 % of levels it never saw: `calm bench race`.

Ours trains as `calm train` trains it on the task. Stable-baselines3's PPO has the same network, is
paid by the same judge in the same environments, and has the same settings but for what it lacks:
rollouts that are turned, and the passes over them that turning is for. Where ours turns them, one
of ours that does not runs too. Each has all cores to itself, one after the other, once a seed.
Evaluations stop the clock.

Ratios, larger is better:
    race           stable-baselines3's seconds over ours; left out where ours does not get there
    race_at_least  the same, where stable-baselines3's had not got there when it was stopped
    unturned, unturned_at_least
                   the same for ours that turns nothing
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from agents.bench import settings
from agents.bench.train_judged import sb3_ppo
from agents.ppo.glibc_memory import keep_memory
from agents.training.agent import make_ppo
from agents.training.environment import credit_source_of, make_env, subgoals_of
from agents.training.evaluation import measure_same
from agents.training.settings.config import TrainConfig, make_config
from agents.training.settings.families import family_of
from calm.bench.harness import Row, Say, machine, ratio, row, said_of
from calm.errors import UsageError
from envs.tasks import task_id

EPISODES = 100
"""Held-out levels of an evaluation."""
AT_ONCE = 50
"""How many of them are played at once."""
EPOCHS = 3
"""Passes over a rollout that is not turned: eight of them learn no sooner
(`agents/results/keyroom-turned`)."""


class Finish(NamedTuple):
    """Where an agent stopped."""

    seconds: float
    """Of training, evaluations apart."""
    steps: int
    """Of the environment."""
    success: float
    """Share of the held-out levels that it finished last, in [0, 1]."""


def run(
    task: str = "KeyRoom-S15",
    seeds: int = 1,
    goal: float = 0.9,
    most_steps: int = 2_000_000,
    progress: Say = lambda text: None,
    **more: Any,
) -> dict[str, Any]:
    """Lets both train once a seed; returns the report of a bench.

    Args:
        task: a task, by a name of MiniHack's.
        seeds: how many, from 0.
        goal: success at which an agent is there, in (0, 1].
        most_steps: environment steps after which one that isn't is stopped.
        progress: called with who trains, and how far it is.
        **more: settings of `TrainConfig`, over those of the task's family.

    Raises:
        UsageError: a setting is wrong, or one that stable-baselines3's PPO has not.
    """
    config = make_config({"task": task, **family_of(task_id(task)).settings, **more})
    if config.memory == "lstm" or {config.ent_coef_end, config.weight_end} != {None}:
        raise UsageError(
            "stable-baselines3's PPO has no memory and keeps its weights as they begin: leave out"
            " memory=lstm, ent_coef_end and weight_end"
        )
    plain = unaugmented(config)
    rivals = {"ours": (config, False), "ours, unturned": (plain, False), "SB3": (plain, True)}
    if plain == config:
        del rivals["ours, unturned"]
    finishes: dict[str, list[Finish]] = {name: [] for name in rivals}
    stopped = False
    try:
        for seed in range(seeds):
            for name, (one, theirs) in rivals.items():
                say = said_of(f"{name}, seed {seed}", progress)
                schedule = {"steps": most_steps, "schedule_steps": one.schedule_steps or one.steps}
                one = one.model_copy(update={"seed": seed, **schedule})
                finishes[name].append(train(one, theirs, goal, most_steps, say))
    except KeyboardInterrupt:
        stopped = True
    whole = min(map(len, finishes.values()))
    if not whole:
        raise KeyboardInterrupt
    return report({name: of[:whole] for name, of in finishes.items()}, goal) | {"stopped": stopped}


def unaugmented(config: TrainConfig) -> TrainConfig:
    """Returns the settings without what stable-baselines3 can't do: turned rollouts."""
    if config.augment == "none":
        return config
    return config.model_copy(update={"augment": "none", "n_epochs": min(EPOCHS, config.n_epochs)})


def report(finishes: dict[str, list[Finish]], goal: float) -> dict[str, Any]:
    """Returns the report of a race.

    Args:
        finishes: one a seed, of "ours", of "ours, unturned" where that ran, and of "SB3".
        goal: success at which an agent is there.
    """
    rows: list[Row] = []
    late: list[str] = []
    for name, of in finishes.items():
        rows.append(row(f"{name}, training", "s", [f.seconds for f in of]))
        rows.append(row(f"{name}, environment steps", "steps", [float(f.steps) for f in of]))
        late += [
            f"{name}, seed {seed}: at {f.success:.0%} of {goal:.0%} when it was stopped"
            for seed, f in enumerate(of)
            if f.success < goal
        ]
    theirs = finishes["SB3"]
    there = "" if all(f.success >= goal for f in theirs) else "_at_least"
    ratios = {}
    for name, key in (("ours", "race"), ("ours, unturned", "unturned")):
        ours = finishes.get(name, [])
        if ours and all(f.success >= goal for f in ours):
            value = ratio([f.seconds for f in theirs], [f.seconds for f in ours])
            ratios[key + there] = round(value, 2)
    return {
        "bench": "race",
        "machine": machine(),
        "rows": rows,
        "ratios": ratios,
        "left_out": late,
    }


def train(
    config: TrainConfig, theirs: bool, goal: float, most_steps: int, say: Callable[[str], None]
) -> Finish:
    """Trains one agent on all cores until it is there.

    Args:
        config: its settings.
        theirs: stable-baselines3's instead of ours.
        goal: success at which it is there.
        most_steps: environment steps after which it is stopped.
        say: called with how far it is.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.CORES if theirs else 1)
    keep_memory()
    subgoals = subgoals_of(config)
    make = partial(make_env, config, source=credit_source_of(config, subgoals), subgoals=subgoals)
    env = make(n_envs=config.n_envs, split="train", seed=config.seed, training=True)
    held_out = make(n_envs=AT_ONCE, split="test", seed=config.seed)
    try:
        model: PPO = make_ppo(config, env, settings.CORES, subgoals)
        if theirs:
            model = sb3_ppo(config, model)
        env.seed(config.seed)
        watch = _Watch(config, held_out, goal, say)
        model.learn(most_steps, callback=watch)
        if watch.success < goal:
            watch.evaluate()
        return Finish(watch.seconds, watch.evaluated_at, watch.success)
    finally:
        env.close()
        held_out.close()
        torch.set_num_threads(threads)


class _Watch(BaseCallback):
    """Evaluates between rollouts with the clock stopped, and ends training at the goal."""

    def __init__(
        self, config: TrainConfig, held_out: Any, goal: float, say: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.config, self.held_out, self.goal, self.say = config, held_out, goal, say
        self.seconds, self.success = 0.0, 0.0
        self.evaluated_at = 0
        self.since = time.perf_counter()

    def _on_training_start(self) -> None:
        self.since = time.perf_counter()

    def _on_step(self) -> bool:
        return self.success < self.goal

    def _on_rollout_start(self) -> None:
        if self.num_timesteps - self.evaluated_at >= self.config.eval_every:
            self.evaluate()

    def evaluate(self) -> None:
        """Plays the held-out levels, always the same with the same random numbers."""
        self.seconds += time.perf_counter() - self.since
        self.success = measure_same(self.model, self.held_out, EPISODES, self.config.seed).rate
        self.evaluated_at = self.num_timesteps
        self.say(f"{self.num_timesteps:,} steps, {self.seconds:.0f} s, success {self.success:.0%}")
        self.since = time.perf_counter()
