"""`calm bench train`: training loops, ours and others."""

from __future__ import annotations

from calm.bench.harness import run_bench
from calm.cli.options import Json, Quick


def bench_train(quick: Quick = False, as_json: Json = False) -> None:
    """Measure training: ours, stable-baselines3, Sample Factory and PufferLib.

    Whole loops, collection and update, on KeyRoom-S5 with the same keys, network, batches and
    epochs, in turns; with a network of 528 thousand parameters and a small one. Our environments
    alone and our update alone say what is left to gain. `make bench-peers` installs the peers.
    """
    from agents.bench.training import run

    run_bench(lambda say: run(quick, say), as_json)
