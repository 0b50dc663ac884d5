"""`calm bench study`: what a cell costs beside its training."""

from __future__ import annotations

from typing import Annotated

import typer

from calm.bench.harness import run_bench
from calm.cli.options import Json, Quick


def bench_study(
    quick: Quick = False,
    cells: Annotated[
        int | None, typer.Option(min=1, help="Cells of the study. [200; with --quick 12]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure what a study's cells cost beside their training, here and on a Ray cluster.

    Cells of two steps each: what remains is the price of a cell. Needs the extra `ray`.
    """
    from agents.cluster.bench import CELLS, QUICK_CELLS, run

    number = cells or (QUICK_CELLS if quick else CELLS)
    run_bench(lambda say: run(say, number), as_json)
