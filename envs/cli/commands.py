"""The command of this layer: bench env."""

from __future__ import annotations

import typer

from calm.bench.harness import run_bench
from calm.cli.options import Json, Quick, bench_app


def register(app: typer.Typer) -> None:
    """Nothing more: importing this file has added `bench env` to the group in `app`."""
    del app


@bench_app.command("env")
def bench_env(quick: Quick = False, as_json: Json = False) -> None:
    """Measure stepping: ours, the engine alone, MiniHack, and other vector environments.

    The same observation keys, random actions, automatic resets and level generation for all, in
    turns. Ratios are ours over theirs: one core against MiniHack through gymnasium, 16 environments
    on all cores against the fastest of SB3's and gymnasium's, and against the engine alone.
    """
    from envs.bench.bench import run

    run_bench(lambda say: run(quick, say), as_json)
