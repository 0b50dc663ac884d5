"""`calm bench env`: steps a second, ours beside the engine, MiniHack and vector environments."""

from __future__ import annotations

from typing import Annotated

import typer

from calm.bench.harness import run_bench
from calm.cli.options import Json, Quick


def bench_env(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            help="Ids or files of tasks. [KeyRoom-S5, KeyRoom-S15, Corridor-R3 and River]"
        ),
    ] = None,
    quick: Quick = False,
    peers: Annotated[
        bool,
        typer.Option(help="Or leave out other vector environments, which are slow to start."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Measure stepping: ours, the engine alone, MiniHack, and other vector environments.

    The same observation keys, random actions, automatic resets and level generation for all, in
    turns. Ratios are ours over theirs: one core against MiniHack through gymnasium, 16 environments
    on all cores against the fastest of SB3's and gymnasium's, and against the engine alone, which
    plays the tasks that are stepped natively.
    """
    from envs.bench.stepping import run

    run_bench(lambda say: run(tasks or (), quick, say, peers), as_json)
