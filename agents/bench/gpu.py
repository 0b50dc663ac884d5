"""Checks on one GPU what can't be known without one: numbers first, then speed.

Two parts, each with its time, so that a card that is lent for minutes is enough:

    agents     the selective scan in Triton beside a loop in torch; one update of PPO on the card
               beside the same on the processor; our training loop beside stable-baselines3's on
               the same card
    encoders   a training step of every encoder, by crop and by whole map; agent attention beside
               full attention by torch's own kernel (flash in bfloat16), compiled and not

A wrong number ends it with an error. What there was no time for is left out and named.

Ratios, theirs over ours in time or ours over theirs in rate, larger is better:
    scan_vs_loop_L         a loop in torch over our scan at length L, forward and backward
    sb3_528k, sb3_small    our steps a second over stable-baselines3's, whose faster setup counts
    agent_vs_sdpa_N        full attention over agent attention, N tokens, bfloat16
    agent_vs_sdpa_N_compiled    the same after `torch.compile`
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from agents.bench import encoder_table, one_contestant, scan, settings, timing
from agents.bench.training import FAMILIES, SIZES, measure
from agents.encoders import make_mechanism
from agents.network.extractor import NetHackExtractor
from agents.network.names import ENCODERS
from agents.training.settings.config import TrainConfig
from calm.bench.harness import Row, Say, row
from calm.errors import CalmError, UsageError

Part = Literal["agents", "encoders"]
SECONDS: dict[Part, float] = {"agents": 480.0, "encoders": 360.0}
"""After which a part begins nothing more; a measurement that hangs may go beyond."""
LONGEST_STEP = 45.0
"""Seconds that one measurement may take, kernels compiled: none begins later than that before the
end."""
TOLERANCE = 1e-3
"""Largest difference of a gradient in float32, over the largest value of that tensor."""
TOKENS = {1659: (21, 79), 6636: (42, 158)}
"""Tokens of the attentions, and the maps that they are."""
KEYS = {"crop": ("glyphs_crop", "blstats"), "map": ("glyphs", "blstats")}
"""What an encoder sees in a training step."""

Figures = tuple[list[Row], dict[str, float]]
"""Rows and ratios."""
Step = tuple[str, Callable[[], Figures]]
"""What is measured, and the measurement."""


def run(
    progress: Say, parts: tuple[Part, ...] = ("agents", "encoders"), device: str = "cuda"
) -> dict[str, Any]:
    """Checks and measures; returns {"bench", "machine", "rows", "ratios", "left_out"}.

    Args:
        progress: called with what is measured next, a line each.
        parts: of the docstring above.
        device: cuda; a test may name the processor.

    Raises:
        UsageError: there is no CUDA device here.
        CalmError: a number differs from the processor's, or a training loop failed.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "no CUDA device here: expected one that torch can use. On a machine with a GPU install"
            " torch's CUDA build and say the same; `calm bench encoders` and `calm bench train`"
            " measure on the processor"
        )
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    left_out: list[str] = []
    for part in parts:
        end = time.monotonic() + SECONDS[part]
        for what, step in (_agents if part == "agents" else _encoders)(device, left_out):
            if time.monotonic() > end - LONGEST_STEP:
                left_out.append(f"{what}: no time left")
                continue
            progress(what)
            more_rows, more_ratios = step()
            rows += more_rows
            ratios |= {name: round(value, 2) for name, value in more_ratios.items()}
    about = timing.machine(device)
    return {"bench": "gpu", "machine": about, "rows": rows, "ratios": ratios, "left_out": left_out}


def _agents(device: str, left_out: list[str]) -> Iterator[Step]:
    yield "one update of PPO beside the processor's", partial(same_update, device)
    for length in (81, 1659):
        yield f"scans of length {length}", partial(scans, length, device, left_out)
    for size in SIZES:
        yield f"training, {SIZES[size]}", partial(training, size, device)


def _encoders(device: str, left_out: list[str]) -> Iterator[Step]:
    for tokens in TOKENS:
        for compiled in (False, True):
            what = f"attention over {tokens} tokens{', compiled' if compiled else ''}"
            yield what, partial(attention, tokens, compiled, device)
    for view in KEYS:
        yield f"training steps of all encoders by {view}", partial(training_steps, view, device)


def same_update(device: str, size: str = "S") -> Figures:
    """Computes one minibatch's gradient on the device and on the processor from the same rollout.

    Raises:
        CalmError: they differ by more than `TOLERANCE`.
    """
    from agents.ppo.fast_ppo import FastPPO

    on_cpu = one_contestant.ppo(FastPPO, one_contestant.ours_env(0), size, device="cpu")
    there = one_contestant.ppo(FastPPO, on_cpu.get_env(), size, device=device)
    on_cpu.learn(settings.ROLLOUT)
    there.policy.load_state_dict(on_cpu.policy.state_dict())
    there.rollout_buffer = on_cpu.rollout_buffer
    rows = np.arange(settings.ROLLOUT // settings.MINIBATCHES)
    gradients = []
    for model in (on_cpu, there):
        parameters = list(model.policy.parameters())
        of, _ = model._gradients(model._rollout(), rows, parameters, 0.2, None)
        gradients.append([None if one is None else one.cpu() for one in of])
    on_cpu.get_env().close()
    worst = max(_difference(a, b) for a, b in zip(*gradients, strict=True) if b is not None)
    if not worst <= TOLERANCE:
        raise CalmError(
            f"a gradient on {device} differs from the processor's by {worst:.1e} of its largest"
            f" value: expected {TOLERANCE:.0e} at most. Training there can't be trusted"
        )
    return [row("gradient on the device: difference", "of largest", [worst])], {}


def _difference(a: Tensor | None, b: Tensor) -> float:
    """Returns the largest difference of two tensors over the largest value of the second."""
    assert a is not None
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-12))


def scans(length: int, device: str, left_out: list[str]) -> Figures:
    """Measures the scan beside a loop in torch, and holds it to float64.

    Raises:
        CalmError: its error is greater than `TOLERANCE`.
    """
    rows = scan.scans(length, device, 5, left_out)
    by_name = {one["name"]: one for one in rows}
    ours = by_name[f"scan: ours forward+backward {length}"]
    if not ours["error"] <= TOLERANCE:
        raise CalmError(
            f"the scan on {device} is wrong at length {length}: off {ours['error']:.1e}"
        )
    loop = by_name[f"scan: unbind loop forward+backward {length}"]
    return rows, {f"scan_vs_loop_{length}": loop["value"] / ours["value"]}


def training(size: str, device: str, seconds: float = 6.0) -> Figures:
    """Measures steps a second of training on the device: ours, and SB3's two setups.

    Raises:
        CalmError: a loop failed.
    """
    rates = {name: measure(name, size, seconds, device) for name in ("ours", *FAMILIES["sb3"])}
    rows = [row(f"{SIZES[size]}: {name}", "steps/s", [rate]) for name, rate in rates.items()]
    theirs = max(rates[name] for name in FAMILIES["sb3"])
    return rows, {f"sb3_{SIZES[size]}": rates["ours"] / theirs}


def attention(tokens: int, compiled: bool, device: str, batch: int = 16) -> Figures:
    """Measures agent attention and full attention, forward and backward, in bfloat16."""
    torch.manual_seed(0)
    height, width = TOKENS[tokens]
    x = torch.randn(batch, tokens, 64, device=device)
    runs = {}
    for name in ("agent", "softmax"):
        module = make_mechanism(name, 64, height, width).to(device)
        runs[name] = timing.with_gradient(
            _in_bfloat16(torch.compile(module) if compiled else module, device),
            list(module.parameters()),
            x,
        )
    after = ", compiled" if compiled else ""
    timings = timing.measure(runs, device, 15)
    rows = [
        timing.as_row(f"{name}, bfloat16{after}, {batch}x{tokens}", of, tokens=tokens, batch=batch)
        for name, of in timings.items()
    ]
    name = f"agent_vs_sdpa_{tokens}{'_compiled' if compiled else ''}"
    return rows, {name: timings["softmax"].median / timings["agent"].median}


def _in_bfloat16(module: Callable[..., Tensor], device: str) -> Callable[..., Tensor]:
    def forward(x: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return module(x)

    return forward


def training_steps(view: str, device: str, batch: int = 256) -> Figures:
    """Measures forward and backward of every encoder's whole extractor on random observations."""
    config = TrainConfig(keys=KEYS[view])
    runs = {}
    for name in ENCODERS:
        torch.manual_seed(0)
        space = encoder_table.observation_space(config, name)
        space.seed(0)
        extractor: nn.Module = NetHackExtractor(space, config.features_dim, name).to(device)
        drawn = [space.sample() for _ in range(batch)]
        observations = {
            key: torch.as_tensor(np.stack([one[key] for one in drawn])).float().to(device)
            for key in space.spaces
        }
        leaves = [p for p in extractor.parameters() if p.requires_grad]
        runs[name] = _step(extractor, leaves, observations)
    timings = timing.measure(runs, device, 9)
    return [
        timing.as_row(f"{name} by {view}, training step, {batch}", of, batch=batch)
        for name, of in timings.items()
    ], {}


def _step(
    extractor: nn.Module, leaves: list[nn.Parameter], observations: dict[str, Tensor]
) -> timing.Run:
    def go() -> None:
        torch.autograd.grad(extractor(observations).sum(), leaves, allow_unused=True)

    return go
