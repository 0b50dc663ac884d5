"""`calm bench encoders`: mechanisms against tokens and batch."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from calm.bench.harness import run_bench
from calm.cli.options import Json, Quick


def bench_encoders(
    quick: Quick = False,
    only: Annotated[
        Literal["mechanisms", "scans"] | None, typer.Option(help="One of the two parts.")
    ] = None,
    tokens: Annotated[
        list[int] | None,
        typer.Option(
            help="Cells, and length of the scans: 81, 440, 1659 or 6636; --quick has 81 and 1659."
            " Repeat for several."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; by default a GPU where there is one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure every mechanism and baseline against tokens and batch, and the scan's rivals.

    Forward, forward with backward, and peak memory; contestants take turns. The whole takes many
    minutes, most of them for the largest batches: --only and --tokens measure a part, --quick a few
    sizes.
    """
    from agents.bench.encoders import run

    run_bench(lambda say: run(quick, say, device, only, tokens or ()), as_json)
