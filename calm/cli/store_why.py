"""`calm store why`: why a question is not answered from a store."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from calm.cli.options import FORMS, Json, KeptStoreOption, TaskArgument
from calm.cli.output import make_console, print_json
from calm.errors import UsageError
from calm.records import MODES
from calm.tasks import find_task
from calm.text import clean


def why_command(
    task: TaskArgument,
    text: Annotated[
        str, typer.Argument(help="The transition's description; `-` reads it from standard input.")
    ],
    judge: Annotated[
        str, typer.Option(help="The judge that was asked: local:MODEL or openai:MODEL.")
    ],
    store: KeptStoreOption = Path("calm.sqlite"),
    subgoals: Annotated[
        str, typer.Option(help="given, a file, or the start of a stored list's hash.")
    ] = "given",
    form: Annotated[
        str,
        typer.Option(
            help=f"Form of question and answer: {FORMS}.",
            show_default="booleans, whatever the store holds",
        ),
    ] = "",
    mode: Annotated[str, typer.Option(help=f"Which description: {', '.join(MODES)}.")] = "events",
    temperature: Annotated[float | None, typer.Option(help="As in the run.")] = None,
    max_tokens: Annotated[int, typer.Option(help="As in the run.")] = 1024,
    per_request: Annotated[int, typer.Option(help="As in the run.")] = 1,
    samples: Annotated[int, typer.Option(help="As in the run.")] = 1,
    logprobs: Annotated[bool, typer.Option("--logprobs", help="As in the run.")] = False,
    as_json: Json = False,
) -> None:
    """Say why a question is not answered from the store: which part of its key differs.

    In a form that asks about one subgoal, statement or line at a time, a transition takes several
    questions: the first that is not stored is explained. Exits with 1 if any is not.
    """
    from calm.asking.form import BOOLEANS, form_of
    from calm.judges import asks_model, make_judge, teacher_of
    from calm.judges.openai import OpenAIJudge
    from calm.store.explain_miss import why_each
    from calm.store.store import Store
    from calm.subgoals import find_subgoals

    described = find_task(task)
    if mode not in MODES:
        raise UsageError(f"unknown mode {mode!r}; valid: {', '.join(MODES)}")
    if not asks_model(judge):
        raise UsageError("only local:MODEL and openai:MODEL have answers in a store")
    with Store.existing(store) as opened:
        asker = make_judge(
            teacher_of(judge),
            mode=mode,
            store=opened,
            base_url="http://localhost/v1",  # nobody is asked
            temperature=temperature,
            max_tokens=max_tokens,
            per_request=per_request,
            samples=samples,
            logprobs=logprobs,
            form=form or BOOLEANS.name,
        )
        assert isinstance(asker, OpenAIJudge)
        items = asker.items(described, find_subgoals(subgoals, described, opened))
        pieces = asker.form.different_pieces([sys.stdin.read() if text == "-" else text])
        explained = why_each(opened, [(item.context, p) for item in items for p in pieces])
        stored = opened.tables.contexts.with_answers()
        forms = {form_of(c.template).name for c in stored if c.model == asker.model and c.mode}
    if as_json:
        print_json(
            asdict(explained) | {"differences": [d._asdict() for d in explained.differences]}
        )
    elif explained.stored:
        all_of = f"all {explained.questions} questions " if explained.questions > 1 else ""
        make_console().print(Text(f"{all_of}stored, and read as: {explained.verdict}"))
    elif not explained.differences:
        make_console().print(Text("not stored; the store holds no answers at all"))
    else:
        if explained.about:
            about, piece = map(clean, explained.about)
            line = f"{explained.missing} of {explained.questions} questions are not stored;"
            make_console().print(Text(f"{line} the first asks of “{piece}”: “{about}”"))
        if forms and asker.form.name not in forms:
            named = " or ".join(f"--form {name}" for name in sorted(forms))
            make_console().print(Text(f"this model was asked in another form: {named}"))
        table = Table("part of the key", "asked for", "nearest stored", show_lines=True)
        for difference in explained.differences:
            table.add_row(*(Text(clean(part)) for part in difference))
        make_console().print(Text("not stored; from the nearest stored answer these parts differ:"))
        make_console().print(table)
    if not explained.stored:
        raise typer.Exit(1)
