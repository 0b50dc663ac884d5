"""`calm bench local`: speed and agreement of models on this machine, by form of answer."""

from __future__ import annotations

from typing import Annotated

import typer

from calm.cli.options import Json, Quick
from calm.errors import UsageError, unknown
from calm.records import MODES


def bench_local_command(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="As in --judge local:MODEL. Repeat for several.",
            show_default="those of the table that are here",
        ),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(help="Form of question and answer. Repeat for several.", show_default="all"),
    ] = None,
    data: Annotated[str, typer.Option(help="A labelled set.")] = "keyroom-v1",
    part: Annotated[str, typer.Option(help="Part of the set.", show_default="the first")] = "",
    mode: Annotated[str, typer.Option(help=f"What it reads: {', '.join(MODES)}.")] = "events",
    questions: Annotated[
        int | None,
        typer.Option(min=1, help="Distinct texts to ask about.", show_default="60, or 8"),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads that compute.")] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Questions at once.")] = None,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Measure local models: judgements a second, prompt tokens reused, tokens an answer, MCC.

    Each model and form is asked the same questions with a server of its own. Nothing is kept in a
    store. Close what else computes: threads wait for one another.
    """
    from calm.asking.form import FORMS, form_named
    from calm.bench.harness import run_bench
    from calm.local.registry import MODELS
    from calm.local.weights import pulled_path
    from calm.owned.address import refuse_owner
    from data.bench.local import run

    refuse_owner("calm bench local")
    models = model or [m.name for m in MODELS if pulled_path(m.name).is_file()]
    if not models:
        raise UsageError("no model is here: `calm models pull NAME`, or name a file with --model")
    if mode not in MODES:
        raise unknown("description", mode, MODES)
    forms = form or [f.name for f in FORMS.values() if mode in f.modes]
    for name in forms:
        form_named(name).check_mode(mode)
    server = {"threads": threads, "slots": slots}
    run_bench(
        lambda say: run(
            models,
            forms,
            data=data,
            part=part,
            mode=mode,
            questions=questions,
            server=server,
            quick=quick,
            say=say,
        ),
        as_json,
    )
