"""`calm bench race`: seconds until an agent has learned its task, ours and stable-baselines3's."""

from __future__ import annotations

from typing import Annotated

import typer

from agents.training.settings.files import read_settings
from calm.bench.harness import run_bench
from calm.cli.options import Json


def bench_race(
    task: Annotated[str, typer.Argument(help="What is learned.")] = "KeyRoom-S15",
    seeds: Annotated[int, typer.Option(min=1, help="Times that each trains, from seed 0.")] = 1,
    goal: Annotated[
        float, typer.Option(min=0.01, max=1, help="Success at which an agent is there.")
    ] = 0.9,
    most_steps: Annotated[
        int, typer.Option(min=1, help="Environment steps after which one that isn't is stopped.")
    ] = 2_000_000,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A setting of the agents, as in train."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the time until an agent is there: ours beside stable-baselines3's PPO.

    There is 90 % of 100 levels that it never saw, looked at every 50,000 steps or as the task's
    settings say, while the clock stands. Both have the same network, the same judge (`rules`) and
    the same environments, each all cores to itself. Where the task's settings turn rollouts, which
    stable-baselines3 can't, ours trains once more without. Leave the machine idle. A seed of
    KeyRoom-S15 took a quarter of an hour on two cores.
    """
    from agents.bench.race import run

    more = read_settings(setting or [])
    run_bench(lambda say: run(task, seeds, goal, most_steps, say, **more), as_json)
