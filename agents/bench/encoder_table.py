"""Measures size, arithmetic and time of each encoder as a whole, on training's observations."""

from __future__ import annotations

import statistics
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agents.encoders import MECHANISMS
from agents.encoders.route_scan import RouteScan
from agents.network.extractor import NetHackExtractor
from agents.network.names import ENCODERS
from agents.network.vector_parts import NO_GLYPH
from agents.training.settings.config import TrainConfig

SUBGOALS = 7
"""Of KeyRoom; their number sets the width of `progress` and of the semantics."""
GROUPS = 13
"""Of glyphs, in the semantics."""
ABOUT = {
    "cnn": "convolutions alone",
    "semantics": "channels and steps of a window gated by what was judged and seen",
} | {name: entry.about for name, entry in MECHANISMS.items()}

MARKING = {
    "agent": (4, 6),
    "gaussian": (1, 6),
    "scan": (2, 6),
    "gated-scan": (1, 5),
    "softmax": (4, 6),
    "pooled": (0, 5),
}
"""In how many agents of the study, of how many, a mechanism's own weights mark what matters.

Hiding the cells that they mark most moves the policy more than hiding random ones, and no less than
hiding those that they mark least (docs/results/where-they-look.md).
"""


class Entry(NamedTuple):
    """One encoder's figures."""

    name: str
    about: str
    """What it does, in a few words."""
    weights: str | None
    """What the mechanism's own weights say of what the policy acts on, by `weights_say`."""
    parameters: int
    """Numbers that are trained."""
    mflops: float
    """Millions of floating point operations of one sample's forward, a multiply-add as two:
    convolutions, products of matrices and the scans' recurrences; not what is done elementwise."""
    ms: float
    """Median milliseconds of a forward at `BATCH`."""
    least_ms: float
    """The least of them."""
    times_cnn: float
    """The forward's time over the CNN's: the median of the ratio over rounds, in which all took
    turns."""


def weights_say(encoder: str) -> str | None:
    """Returns in words what a mechanism's own weights say of what the policy acts on, by `MARKING`.

    They say much where they mark it in half of the agents or more, nothing where in none. None
    where the mechanism weighs no cells, or no agent of it was looked at.
    """
    if encoder not in MARKING:
        return None
    marking, looked_at = MARKING[encoder]
    says = "nothing" if marking == 0 else "little" if 2 * marking < looked_at else "much"
    return f"weights say {says}: they mark what matters in {marking} of {looked_at} agents"


BATCH = 16
"""Observations of one forward."""


def observation_space(config: TrainConfig, encoder: str) -> spaces.Dict:
    """Returns the observation space of an encoder in the environments of `config`, with a judge."""
    crop, window = config.crop, config.window
    known: dict[str, spaces.Space[Any]] = {
        "glyphs": spaces.Box(0, NO_GLYPH, (21, 79), np.int16),
        "glyphs_crop": spaces.Box(0, NO_GLYPH, (crop, crop), np.int16),
        "message": spaces.Box(0, 255, (256,), np.uint8),
        "inv_glyphs": spaces.Box(0, NO_GLYPH, (55,), np.int16),
        "blstats": spaces.Box(-1000, 1000, (27,), np.int64),
        "progress": spaces.Box(0, 1, (SUBGOALS,), np.float32),
    }
    looked_back: dict[str, spaces.Space[Any]] = {
        "window_crop": spaces.Box(0, NO_GLYPH, (window, crop, crop), np.int16),
        "semantics": spaces.Box(-1, 5, (SUBGOALS + GROUPS, window), np.float32),
        "window_valid": spaces.Box(0, 1, (window,), np.float32),
    }
    spaces_by_key = {key: known[key] for key in (*config.keys, "progress")}
    return spaces.Dict(spaces_by_key | (looked_back if encoder == "semantics" else {}))


def extractor_and_observations(
    config: TrainConfig, encoder: str, batch: int, seed: int = 0
) -> tuple[NetHackExtractor, dict[str, Tensor]]:
    """Returns a new extractor with an encoder, and random observations (batch, ...) in float32.

    Args:
        config: whose sizes they have.
        encoder: one of `ENCODERS`.
        batch: number of observations.
        seed: of weights and observations.
    """
    torch.manual_seed(seed)
    space = observation_space(config, encoder)
    space.seed(seed)
    extractor = NetHackExtractor(space, config.features_dim, encoder)
    samples = [space.sample() for _ in range(batch)]
    observations = {
        key: torch.as_tensor(np.stack([one[key] for one in samples])).float()
        for key in space.spaces
    }
    return extractor, observations


def table(config: TrainConfig | None = None, rounds: int = 60, seed: int = 0) -> list[Entry]:
    """Measures every encoder in turns on this machine's CPU, one thread; returns a row each.

    Times are of the processor, so that other work on the machine disturbs them little.

    Args:
        config: whose sizes they have; None for the defaults.
        rounds: in which all take turns.
        seed: of weights and observations.
    """
    config = config or TrainConfig()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        models, inputs = {}, {}
        for name in ENCODERS:
            models[name], inputs[name] = extractor_and_observations(config, name, BATCH, seed)
        times: dict[str, list[float]] = {name: [] for name in models}
        with torch.no_grad():
            for turn in range(rounds + 3):
                for name, model in models.items():
                    started = time.process_time()
                    model(inputs[name])
                    if turn >= 3:  # the first ones warm up
                        times[name].append(1e3 * (time.process_time() - started))
    finally:
        torch.set_num_threads(threads)
    return [
        Entry(
            name,
            ABOUT[name],
            weights_say(name),
            sum(p.numel() for p in model.parameters()),
            flops(model, inputs[name]) / BATCH / 1e6,
            statistics.median(times[name]),
            min(times[name]),
            statistics.median(a / b for a, b in zip(times[name], times["cnn"], strict=True)),
        )
        for name, model in models.items()
    ]


def flops(model: nn.Module, observations: dict[str, Tensor]) -> float:
    """Returns the floating point operations of a forward, see `Entry.mflops`.

    A scan's recurrence, which is in no matrix product, is counted as 9 for each step, channel and
    state (Mamba's own count: discretise, multiply, add, read out).
    """
    scanned = 0

    def count(module: nn.Module, args: tuple[Tensor, ...], _: Any) -> None:
        nonlocal scanned
        assert isinstance(module, RouteScan)
        batch, cells, heads, size = args[0].shape
        scanned += 9 * batch * cells * heads * module.per_head * size * module.state

    hooks = [
        module.register_forward_hook(count)
        for module in model.modules()
        if isinstance(module, RouteScan)
    ]
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(observations)
    finally:
        for hook in hooks:
            hook.remove()
    return float(counter.get_total_flops() + scanned)
