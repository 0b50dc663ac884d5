"""`calm bench gpu`: checks and figures on one GPU, in minutes."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from calm.bench.harness import run_bench
from calm.cli.options import Json


def bench_gpu(
    part: Annotated[
        Literal["encoders", "agents"] | None, typer.Option(help="One of the two parts.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check and measure on one GPU: the scan, every encoder, training.

    First that the numbers are the processor's, then how fast they come: `encoders` (made for 6
    minutes) has the scan in Triton beside plain torch, a training step of each encoder, and agent
    attention beside torch's flash attention, compiled and not; `agents` (for 8) has PPO beside
    stable-baselines3's on the same card.
    """
    from agents.bench.gpu import SECONDS, run

    parts = (part,) if part else tuple(SECONDS)
    run_bench(lambda say: run(say, parts), as_json)
