"""Checks on one GPU what can't be known without one: numbers first, then speed.

Two parts, each with its time, so that a card that is lent for minutes is enough:

    encoders   the selective scan in Triton beside plain torch; a training step of every encoder,
               by crop and by whole map; agent attention beside full attention by torch's flash
               kernel in bfloat16, compiled and not
    agents     one update of PPO on the card beside the same on the processor; our training loop
               beside stable-baselines3's on the same card

What is right says the processor, in float64 by torch's own operations for the scan (along a
sequence and along a map's routes; y and every gradient) and for each encoder (its output and the
gradient of every weight), in float32 for the update of PPO. A wrong number ends it with an error.
What there was no time for is left out and named.

Ratios, theirs over ours in time or ours over theirs in rate, larger is better:
    scan_vs_loop_L         a loop in torch over our scan at length L, forward and backward
    sb3_528k, sb3_small    our steps a second over stable-baselines3's, whose faster setup counts
    agent_vs_sdpa_N        full attention over agent attention, N tokens, bfloat16
    agent_vs_sdpa_N_compiled    the same after `torch.compile`
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from agents.bench import one_contestant, scan, settings, timing
from agents.bench.encoder_table import extractor_and_observations
from agents.bench.training import FAMILIES, SIZES, measure
from agents.encoders import make_mechanism
from agents.network.names import ENCODERS
from agents.training.settings.config import TrainConfig
from calm.bench.harness import Row, Say, row
from calm.errors import CalmError, UsageError

Part = Literal["encoders", "agents"]
SECONDS: dict[Part, float] = {"encoders": 360.0, "agents": 480.0}
"""After which a part begins nothing more; a measurement that hangs may go beyond."""
LONGEST_STEP = 45.0
"""Seconds that one measurement may take, kernels compiled: none begins later than that before the
end."""
SCANS_WITHIN = 90.0
"""Seconds of the part after which no scan is timed any more, so that the encoders have theirs."""
TOLERANCE = 1e-3
"""Largest difference of a network's output or gradient, over the largest value of that tensor.

On the processor float32 differs from float64 by 5e-6 at most, over all encoders' tensors."""
SCAN_TOLERANCE = 1e-4
"""The same of the scan alone, of which the processor's float32 is off by 1e-6."""
SCANS = {81: (9, 9), 1659: (21, 79)}
"""Lengths of the scans, and the maps that have so many cells."""
TOKENS = {1659: (21, 79), 6636: (42, 158)}
"""Tokens of the attentions, and the maps that they are."""
KEYS = {"crop": ("glyphs_crop", "blstats"), "map": ("glyphs", "blstats")}
"""What an encoder sees in a training step."""

Figures = tuple[list[Row], dict[str, float]]
"""Rows and ratios."""
BACKENDS = (
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
)
"""Torch's kernels of full attention: flash, and what stands in where it can't be used."""


class Step(NamedTuple):
    """One measurement."""

    what: str
    """Is measured, in words."""
    measure: Callable[[], Figures]
    """Does it."""
    within: float = math.inf
    """Seconds from its part's beginning after which it isn't begun any more."""


def run(
    progress: Say, parts: tuple[Part, ...] = ("encoders", "agents"), device: str = "cuda"
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
        began = time.monotonic()
        for step in (_agents if part == "agents" else _encoders)(device, left_out):
            passed = time.monotonic() - began
            if passed > min(SECONDS[part] - LONGEST_STEP, step.within):
                left_out.append(f"{step.what}: no time left")
                continue
            progress(step.what)
            more_rows, more_ratios = step.measure()
            rows += more_rows
            ratios |= {name: round(value, 2) for name, value in more_ratios.items()}
    about = timing.machine(device)
    return {"bench": "gpu", "machine": about, "rows": rows, "ratios": ratios, "left_out": left_out}


def _agents(device: str, _: list[str]) -> Iterator[Step]:
    yield Step("one update of PPO beside the processor's", partial(same_update, device))
    for size in SIZES:
        yield Step(f"training, {SIZES[size]}", partial(training, size, device))


def _encoders(device: str, left_out: list[str]) -> Iterator[Step]:
    for length in SCANS:
        what = f"numbers of the scans of length {length}"
        yield Step(what, partial(same_scans, length, device))
    for length in SCANS:
        measure = partial(scans, length, device, left_out)
        yield Step(f"scans of length {length}", measure, SCANS_WITHIN)
    for view in KEYS:
        what = f"numbers of all encoders by {view}"
        yield Step(what, partial(same_steps, view, device))
    for view in KEYS:
        what = f"training steps of all encoders by {view}"
        yield Step(what, partial(training_steps, view, device))
    for compiled in (False, True):
        for tokens in TOKENS:
            what = f"attention over {tokens} tokens{', compiled' if compiled else ''}"
            yield Step(what, partial(attention, tokens, compiled, device))


def same_scans(length: int, device: str) -> Figures:
    """Compares the device's scans in float32 with the recurrence in float64 on the processor.

    `selective_scan`, and `scan_map` along the routes of `MultiHeadScan`; y and every gradient.

    Raises:
        CalmError: one differs by more than `SCAN_TOLERANCE`.
    """
    height, width = SCANS[length]
    errors = {
        f"scan of length {length}": scan.scan_errors(length, device),
        f"scan along the routes of {height} x {width} cells": scan.routed_scan_errors(
            height, width, device
        ),
    }
    return [_checked(what, of, SCAN_TOLERANCE, device) for what, of in errors.items()], {}


def scans(length: int, device: str, left_out: list[str]) -> Figures:
    """Measures the scan beside a loop in torch."""
    rows = scan.scans(length, device, 5, left_out, ("unbind loop",))
    times = {one["name"]: one["value"] for one in rows}
    ours, loop = (
        times[f"scan: {name} forward+backward {length}"] for name in ("ours", "unbind loop")
    )
    return rows, {f"scan_vs_loop_{length}": loop / ours}


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
    for model in (there, on_cpu):
        parameters = list(model.policy.parameters())
        with _without_tf32():
            of, _ = model._gradients(model._rollout(), rows, parameters, 0.2, None)
        gradients.append(of)
    on_cpu.get_env().close()
    names = [name for name, _ in on_cpu.policy.named_parameters()]
    errors = {
        f"gradient of {name}": scan.difference(found, exact)
        for name, found, exact in zip(names, *gradients, strict=True)
        if exact is not None
    }
    return [_checked("update of PPO", errors, TOLERANCE, device)], {}


def _checked(what: str, errors: Mapping[str, float], tolerance: float, device: str) -> Row:
    """Returns a row of the worst error; raises a CalmError where one exceeds the tolerance.

    Args:
        what: was compared.
        errors: by the name of a tensor, over its largest value. NaN exceeds every tolerance.
        tolerance: of each.
        device: that computed it.
    """
    worst = max(errors, key=lambda name: math.inf if math.isnan(errors[name]) else errors[name])
    if not errors[worst] <= tolerance:
        raise CalmError(
            f"{what} on {device} is wrong: {worst} is off by {errors[worst]:.1e} of its largest"
            f" value: expected {tolerance:.0e} at most. What is computed there can't be trusted"
        )
    return row(f"{what}: difference", "of largest", [errors[worst]], differences=dict(errors))


@contextlib.contextmanager
def _without_tf32() -> Iterator[None]:
    """Has a card compute convolutions and products in float32, all 24 bits of it, within.

    By default torch lets convolutions round to the 11 bits of TF32, which hides what is wrong.
    """
    backends: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [one.allow_tf32 for one in backends]
    try:
        for one in backends:
            one.allow_tf32 = False
        yield
    finally:
        for one, allowed in zip(backends, before, strict=True):
            one.allow_tf32 = allowed


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
    """Measures agent attention and full attention, forward and backward, in bfloat16.

    Full attention is computed by the first of `BACKENDS` that works here; the row names it.
    """
    torch.manual_seed(0)
    height, width = TOKENS[tokens]
    x = torch.randn(batch, tokens, 64, device=device)
    backend = attention_backend(tokens, device)
    kernel = backend.name.lower().replace("_", " ")
    runs = {}
    for name, pinned in (("agent", None), (f"softmax by {kernel}", backend)):
        module = make_mechanism(name.split()[0], 64, height, width).to(device)
        forward = _in_bfloat16(torch.compile(module) if compiled else module, device, pinned)
        runs[name] = timing.with_gradient(forward, list(module.parameters()), x)
    after = ", compiled" if compiled else ""
    timings = timing.measure(runs, device, 15)
    rows = [
        timing.as_row(f"{name}, bfloat16{after}, {batch}x{tokens}", of, tokens=tokens, batch=batch)
        for name, of in timings.items()
    ]
    ours, theirs = (of.median for of in timings.values())
    return rows, {f"agent_vs_sdpa_{tokens}{'_compiled' if compiled else ''}": theirs / ours}


def attention_backend(tokens: int, device: str) -> SDPBackend:
    """Returns the first of `BACKENDS` that computes this attention and its gradients here.

    Args:
        tokens: of one map, with 4 heads of 16 channels in bfloat16, no mask.
        device: to compute on.

    Raises:
        CalmError: none does.
    """
    qkv = torch.randn(3, 1, tokens, 4, 16, device=device, dtype=torch.bfloat16, requires_grad=True)
    for backend in BACKENDS:
        with contextlib.suppress(RuntimeError), sdpa_kernel(backend):
            y = F.scaled_dot_product_attention(*qkv.transpose(2, 3))
            torch.autograd.grad(y.sum(), qkv)
            return backend
    raise CalmError(f"none of torch's attention kernels takes {tokens} tokens on {device}")


def _in_bfloat16(
    module: Callable[..., Tensor], device: str, backend: SDPBackend | None
) -> Callable[..., Tensor]:
    """Returns the module's forward under autocast, full attention by one kernel if one is named."""

    def forward(x: Tensor) -> Tensor:
        kernel = contextlib.nullcontext() if backend is None else sdpa_kernel(backend)
        with torch.autocast(device, torch.bfloat16), kernel:
            return module(x)

    return forward


def same_steps(view: str, device: str, batch: int = 8) -> Figures:
    """Compares every encoder's output and gradients with the processor's in float64.

    Raises:
        CalmError: one differs by more than `TOLERANCE`.
    """
    rows, config = [], TrainConfig(keys=KEYS[view])
    for name in ENCODERS:
        extractor, observations = extractor_and_observations(config, name, batch)
        there = copy.deepcopy(extractor).to(device)
        with _without_tf32():
            found = _outcome(there, {key: x.to(device) for key, x in observations.items()})
        exact = _outcome(extractor.double(), {key: x.double() for key, x in observations.items()})
        errors = {of: scan.difference(found[of], exact[of]) for of in exact}
        rows.append(_checked(f"{name} by {view}", errors, TOLERANCE, device))
    return rows, {}


def _outcome(extractor: nn.Module, observations: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the extractor's output, and the gradient of each weight, by name."""
    leaves = {name: p for name, p in extractor.named_parameters() if p.requires_grad}
    output: Tensor = extractor(observations)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output)
    gradients = torch.autograd.grad((output * weights).sum(), list(leaves.values()))
    names = (f"gradient of {name}" for name in leaves)
    return {"output": output} | dict(zip(names, gradients, strict=True))


def training_steps(view: str, device: str, batch: int = 256) -> Figures:
    """Measures forward and backward of every encoder's whole extractor on random observations."""
    runs, config = {}, TrainConfig(keys=KEYS[view])
    for name in ENCODERS:
        extractor, observations = extractor_and_observations(config, name, batch)
        leaves = [p for p in extractor.to(device).parameters() if p.requires_grad]
        there = {key: x.to(device) for key, x in observations.items()}
        runs[name] = _step(extractor, leaves, there)
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
