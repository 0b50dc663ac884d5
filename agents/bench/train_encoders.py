"""Measures steps a second of PPO with each encoder: `calm bench train --encoder`.

Rollout and update as `calm train` does them, on KeyRoom-S15 judged by `rules`, with the hero's crop
or with the whole level for a map. All encoders of a map take turns, one rollout each a round, after
one to warm up. Then each makes one more on one thread, to tell where its time goes (`time_spent`).

An encoder is named as in `calm train`, or with the channels that its mechanism sees: `agent:16`.

Ratios, ours over theirs in steps a second, larger is better:
    crop_NAME     an encoder over `cnn` on the crop
    level_NAME    an encoder over `softmax` on the whole level
    MAP_NAME_compiled    an encoder whose mechanism torch.compile compiles, over itself as it is
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from agents.bench import settings
from agents.bench.time_shares import time_spent
from agents.encoders import MECHANISMS
from agents.network.names import ENCODERS
from agents.training.settings.config import TrainConfig, make_config
from agents.training.settings.idle import refuse_idle
from calm.bench.harness import Row, Say, machine, ratio, row, said_of
from calm.errors import UsageError, unknown

if TYPE_CHECKING:
    from stable_baselines3 import PPO

    from agents.ppo.fast_ppo import FastPPO

MapKind = Literal["crop", "level"]
KEYS: dict[MapKind, tuple[str, ...]] = {"crop": ("glyphs_crop",), "level": ("glyphs",)}
"""Keys of each kind of map; the encoder `semantics` looks back on crops in any case."""
BASELINE: dict[MapKind, str] = {"crop": "cnn", "level": "softmax"}
TASK = "KeyRoom-S15"


class Contestant(NamedTuple):
    """An agent that trains with one encoder."""

    train: Callable[[], None]
    """Makes one rollout and its update."""
    steps: int
    """Of a rollout."""
    close: Callable[[], None]
    """Ends its environments."""


def run(
    encoders: Sequence[str],
    maps: Sequence[MapKind] = ("crop", "level"),
    quick: bool = False,
    progress: Say = lambda text: None,
    compiled: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """Measures encoders, and what they are compared with; returns the report of a bench.

    Args:
        encoders: names of `ENCODERS`, or such with channels, `agent:16`; none for all.
        maps: kinds of map.
        quick: one round of a quarter of the steps instead of three.
        progress: called with what is being measured.
        compiled: also have torch.compile compile each mechanism; the first rollout of one then
            takes a minute or two.
        **more: settings of `TrainConfig`, over the bench's.

    Raises:
        UsageError: no such encoder, it can't see so many channels, or a setting that changes
            nothing was named.
    """
    places = {name: _place(name) for name in ("cnn", "softmax", *(encoders or ENCODERS))}
    names = sorted(places, key=places.__getitem__)
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    refuse_idle(more, [config_of(name, kind, **more) for kind in maps for name in names])
    for kind in maps:
        configs = {name: config_of(name, kind, quick, **more) for name in names}
        contestants = {name: contestant(config) for name, config in configs.items()}
        mixing = [name for name in names if compiled and configs[name].encoder in MECHANISMS]
        contestants |= {
            f"{name}, compiled": contestant(configs[name], with_compiled_mechanism)
            for name in mixing
        }
        rates = take_turns(contestants, 1 if quick else 3, said_of(kind, progress))
        rows += [row(f"{kind}: {name}", "steps/s", of) for name, of in rates.items()]
        for name, config in configs.items():
            progress(f"{kind}: {name}, where its time goes")
            rows += [
                row(f"{kind}: {name}, {work}", "µs/step", [1e6 * seconds / _steps(config)])
                for work, seconds in seconds_by_work(config).items()
            ]
        beside = BASELINE[kind]
        ratios |= {
            f"{kind}_{name}": round(ratio(rates[name], rates[beside]), 2)
            for name in names
            if name != beside
        }
        ratios |= {
            f"{kind}_{name}_compiled": round(ratio(rates[f"{name}, compiled"], rates[name]), 2)
            for name in mixing
        }
    return {"bench": "train", "machine": machine(), "rows": rows, "ratios": ratios}


def seconds_by_work(config: TrainConfig) -> dict[str, float]:
    """Returns the seconds of a rollout and its update of ours on one thread, by kind of work."""
    ours = contestant(config, threads=1)
    try:
        ours.train()
        return time_spent(ours.train)
    finally:
        ours.close()


def with_compiled_mechanism(model: FastPPO) -> FastPPO:
    """Returns an agent the mechanism of whose maps torch.compile compiles when it first runs."""
    from agents.network.glyph_map import MapEncoder

    for part in model.policy.features_extractor.parts.values():
        if isinstance(part, MapEncoder) and part.mix is not None:
            part.mix.compile(dynamic=True)  # equal maps come once, so that batches differ in size
    return model


def _steps(config: TrainConfig) -> int:
    """Returns the steps of a rollout."""
    return config.n_envs * config.n_steps


def config_of(encoder: str, kind: MapKind, quick: bool = False, **more: Any) -> TrainConfig:
    """Returns the settings of a contestant: those of `calm train`, but for task and keys."""
    crop = KEYS["crop"] if encoder == "semantics" and kind == "level" else ()
    name, _, channels = encoder.partition(":")
    values = {
        "task": TASK,
        "encoder": name,
        "encoder_options": {"channels": int(channels)} if channels else {},
        "keys": (*crop, *KEYS[kind], "inv_glyphs", "blstats"),
        "n_steps": 32 if quick else 128,
    }
    return make_config(values | more)


def _place(encoder: str) -> tuple[int, int]:
    """Returns where an encoder stands among the others: by name, then by channels."""
    name, colon, channels = encoder.partition(":")
    if name not in ENCODERS:
        raise unknown("encoder", name, ENCODERS)
    if colon and not channels.isdecimal():
        raise UsageError(f"after {name}: comes the number of channels, as in {name}:16")
    return ENCODERS.index(name), int(channels or 0)


def take_turns(
    contestants: Mapping[str, Contestant], rounds: int, say: Say
) -> dict[str, list[float]]:
    """Trains contestants in turns, one rollout each a round, and ends them.

    Args:
        contestants: by name.
        rounds: that are measured, after one to warm up.
        say: called with what is being measured.

    Returns:
        Steps a second in each round, by name.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    try:
        for turn in range(rounds + 1):
            for name, one in contestants.items():
                say(f"{name}, {f'round {turn}' if turn else 'warming up'}")
                start = time.perf_counter()
                one.train()
                if turn:
                    rates[name].append(one.steps / (time.perf_counter() - start))
    finally:
        for one in contestants.values():
            one.close()
    return rates


def contestant(
    config: TrainConfig,
    remade: Callable[[FastPPO], PPO] | None = None,
    threads: int = settings.CORES,
) -> Contestant:
    """Returns an agent of these settings, on all cores as `calm train` trains one agent.

    Args:
        config: the settings.
        remade: returns another agent in the same environments to train instead.
        threads: that its update takes.
    """
    import torch

    from agents.ppo.glibc_memory import keep_memory
    from agents.training.agent import make_ppo
    from agents.training.environment import credit_source_of, make_env, subgoals_of

    torch.set_num_threads(1)
    keep_memory()
    subgoals = subgoals_of(config)
    source = credit_source_of(config, subgoals)
    env = make_env(config, config.n_envs, source, subgoals, split="train", seed=config.seed)
    ours = make_ppo(config, env, threads, subgoals)
    model = ours if remade is None else remade(ours)
    steps = _steps(config)

    def train() -> None:
        model.learn(steps, reset_num_timesteps=False)

    return Contestant(train, steps, env.close)
