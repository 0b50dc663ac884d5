"""`calm bench owner`: answers a second that one owner of questions looks up."""

from __future__ import annotations

from calm.bench.harness import run_bench
from calm.cli.options import Json, Quick


def bench_owner_command(quick: Quick = False, as_json: Json = False) -> None:
    """Measure an owner of questions: looked-up answers a second, latency at 1, 8 and 64 askers.

    Everything runs on loopback; nothing is asked of a model.
    """
    from calm.bench.owner import run

    run_bench(lambda say: run(quick, say), as_json)
