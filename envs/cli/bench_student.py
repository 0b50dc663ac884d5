"""`calm bench student`: questions that a student judge saves, and how far its answers agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from calm.bench.harness import run_bench
from calm.cli.options import FORMS, BaseUrl, Json
from calm.errors import UsageError


def bench_student(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(help="Ids or files of tasks. [Quest-Easy, WoD-Medium-Full and Eat]"),
    ] = None,
    judge: Annotated[
        str, typer.Option(help="Whom it learns from; asked about every text, as the measure.")
    ] = "rules",
    steps: Annotated[int, typer.Option(min=1, help="Random steps of each task.")] = 20_000,
    texts: Annotated[
        int, typer.Option(min=1, help="Different texts of a task at most, the first ones.")
    ] = 1_000,
    form: Annotated[
        str, typer.Option(help=f"Form of question and answer of a model: {FORMS}. [booleans]")
    ] = "",
    store: Annotated[Path, typer.Option(help="Where a model's answers are kept.")] = Path(
        "calm.sqlite"
    ),
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Measure a student judge: texts it asks about, and agreement on those that it doesn't.

    Random play's different texts are judged in the order in which they came, by the judge and by
    students of it that are to agree in .9, .95, .98 and .99 of what they answer themselves.
    """
    from calm.judges import make_judge, reads_store
    from calm.owned.client import open_store
    from envs.bench.student import TASKS, run

    if form and not reads_store(judge):
        raise UsageError(f"--form is of a model's answers; {judge} is none")
    options: dict[str, Any] = {"form": form} if form else {}
    with open_store(store if reads_store(judge) else None) as opened:
        teacher = make_judge(judge, store=opened, base_url=base_url, **options)
        run_bench(lambda say: run(tasks or TASKS, teacher, steps, texts, say), as_json)
