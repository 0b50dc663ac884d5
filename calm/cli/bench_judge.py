"""`calm bench judge`: what judging costs beside the answers themselves."""

from __future__ import annotations

from calm.bench.harness import run_bench
from calm.cli.options import (
    Json,
    Quick,
)


def bench_judge_command(quick: Quick = False, as_json: Json = False) -> None:
    """Measure judging: speed at 50 and 500 at once, a rate limit, lookups, a store of a million.

    Everything runs on loopback; nothing is asked of a model.
    """
    from calm.bench.judge import run
    from calm.owned.address import refuse_owner

    refuse_owner("calm bench judge")
    run_bench(lambda say: run(quick, say), as_json)
