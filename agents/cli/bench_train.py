"""`calm bench train`: training loops, ours and others; or ours with each encoder."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from agents.training.settings.files import read_settings
from calm.bench.harness import run_bench
from calm.cli.options import Json, Quick
from calm.errors import UsageError


def bench_train(
    quick: Quick = False,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure our loop with this encoder instead, or with `all`; `agent:16` for 16 of"
            " the 64 channels. Repeatable."
        ),
    ] = None,
    only: Annotated[
        Literal["crop", "level"] | None,
        typer.Option("--map", help="With --encoder: one map. [both]"),
    ] = None,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="With --encoder: also with each mechanism compiled by torch.compile, which takes a"
            " minute or two each.",
        ),
    ] = False,
    memory: Annotated[
        bool, typer.Option("--memory", help="Measure agents with an LSTM instead.")
    ] = False,
    judged: Annotated[
        bool,
        typer.Option(
            "--judged",
            help="Measure shaped agents instead: ours beside stable-baselines3's PPO in our"
            " environments.",
        ),
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="With --encoder or --judged: a setting of the agents, as in train; of the keys,"
            " with one --map.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure training: ours, stable-baselines3, Sample Factory and PufferLib.

    Whole loops, collection and update, on KeyRoom-S5 with the same keys, network, batches and
    epochs, in turns; with a network of 528 thousand parameters and a small one. Our environments
    alone and our update alone say what is left to gain. `make bench-peers` installs the peers.

    With --encoder ours alone, as `calm train` trains on KeyRoom-S15: each encoder beside `cnn` and
    `softmax`, by the hero's crop and by the whole level, and where the time of each goes. With
    --memory an LSTM of ours beside sb3-contrib's, and beside ours without one. With --judged ours
    beside stable-baselines3's on KeyRoom-S15 with credit by `rules`, in the same environments, so
    that their speed counts for neither; and where the time of ours goes.
    """
    if sum((memory, judged, bool(encoder))) > 1:
        raise UsageError("--encoder, --memory and --judged measure different things; name one")
    if setting and not (encoder or judged):
        raise UsageError("--set is for agents as calm train makes them: with --encoder or --judged")
    more = read_settings(setting or [])
    if encoder:
        from agents.bench.train_encoders import KEYS
        from agents.bench.train_encoders import run as run_encoders

        names = [] if "all" in encoder else encoder
        maps = [kind for kind in KEYS if only in (None, kind)]
        run_bench(lambda say: run_encoders(names, maps, quick, say, compiled, **more), as_json)
        return
    if only:
        raise UsageError("--map says which map encoders are measured by; name some with --encoder")
    if compiled:
        raise UsageError("--compile compiles the mechanisms of encoders; name some with --encoder")
    if judged:
        from agents.bench.train_judged import run as run_judged

        run_bench(lambda say: run_judged(quick, say, **more), as_json)
        return
    from agents.bench.training import run, run_memory

    run_bench(lambda say: (run_memory if memory else run)(quick, say), as_json)
