"""The commands of this layer: decompose, probe, models, store and bench judge."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calm.asking.probe import list_models, probe
from calm.asking.settle import settle_stored
from calm.bench.harness import run_bench
from calm.bench.judge import run as bench_judge
from calm.cli.models_list import models_list
from calm.cli.models_pull import models_pull
from calm.cli.models_remove import models_remove
from calm.cli.models_serve import models_serve
from calm.cli.options import (
    BaseUrl,
    Json,
    KeptStoreOption,
    KeyEnv,
    Quick,
    StoreOption,
    bench_app,
)
from calm.cli.waiting import waiting
from calm.decompose import decompose
from calm.errors import StoreError, UsageError
from calm.files import check_writable
from calm.judges import asks_model, make_judge
from calm.judges.openai import OpenAIJudge
from calm.records import MODES, Subgoal, subgoals_hash
from calm.store.database import DAMAGED
from calm.store.explain_miss import why
from calm.store.integrity import stats, verify
from calm.store.store import Store
from calm.subgoals import find_subgoals, write_subgoals
from calm.tasks import find_task
from calm.text import clean

store_app = typer.Typer(no_args_is_help=True, help="Look into a store of answers, and move them.")
"""Upper layers may add commands that need more than this layer has (export, import)."""

TaskArgument = Annotated[
    str,
    typer.Argument(
        help="A task's id, or a YAML file that describes one: id, goal, and perhaps actions,"
        " subgoals, legend."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds this layer's commands."""
    app.command("decompose")(decompose_command)
    app.command("probe")(probe_command)
    app.add_typer(store_app, name="store")
    models = typer.Typer(no_args_is_help=True, help="Language models that run on this machine.")
    models.command("list")(models_list)
    models.command("pull")(models_pull)
    models.command("serve")(models_serve)
    models.command("remove")(models_remove)
    app.add_typer(models, name="models")
    app.add_typer(bench_app, name="bench")


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def decompose_command(
    task: TaskArgument,
    judge: Annotated[
        str,
        typer.Option(
            help="Who names them: local:MODEL, openai:MODEL, or rules for the given ones."
        ),
    ] = "rules",
    store: StoreOption = Path("calm.sqlite"),
    out: Annotated[
        Path | None,
        typer.Option(help="Write them to this file, YAML or .json, to be edited and named later."),
    ] = None,
    base_url: BaseUrl = None,
    key_env: KeyEnv = "OPENAI_API_KEY",
    as_json: Json = False,
) -> None:
    """Ask a model which subgoals lead to a task's goal; check, keep and show them.

    Asked once: the same question is answered from the store. Other commands take the list as
    `--subgoals FILE` or by the hash shown.
    """
    found_task = find_task(task)
    if out is not None:
        check_writable(out)
    with Store(store) as opened:
        options: dict[str, Any] = {"key_env": key_env} if asks_model(judge) else {}
        chosen = make_judge(judge, store=opened, base_url=base_url, **options)
        if not isinstance(chosen, OpenAIJudge) and judge != "rules":
            raise UsageError(
                f"{judge} names no subgoals: --judge takes local:MODEL, openai:MODEL or rules"
            )
        with waiting(Console(stderr=True), f"{judge}: subgoals of {found_task.id}"):
            subgoals = decompose(found_task, chosen, opened)
        opened.keep_subgoals(found_task.id, subgoals, judge)
        if isinstance(chosen, OpenAIJudge):
            chosen.close()
    if out is not None:
        write_subgoals(out, found_task.id, subgoals)
    if as_json:
        listed = [{"name": s.name, "definition": s.definition} for s in subgoals]
        _print_json({"task": found_task.id, "hash": subgoals_hash(subgoals), "subgoals": listed})
        return
    console = _console()
    console.print(Text(f"{found_task.id}: {found_task.goal}"))
    _print_subgoals(console, subgoals)
    console.print(Text(f"hash {subgoals_hash(subgoals)[:12]}"))
    if out is not None:
        console.print(Text(f"written to {out}"))


def _print_subgoals(console: Console, subgoals: tuple[Subgoal, ...]) -> None:
    for i, subgoal in enumerate(subgoals, 1):
        console.print(Text(f"{i}. {subgoal.name}: {subgoal.definition}"))


def probe_command(
    url: Annotated[
        str | None, typer.Argument(help="Base URL; without one, OPENAI_BASE_URL or OpenAI's own.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model; without one, the first that is listed.")
    ] = None,
    store: StoreOption = Path("calm.sqlite"),
    key_env: KeyEnv = "OPENAI_API_KEY",
    concurrency: Annotated[
        bool, typer.Option(help="Also try how many requests at once it takes (up to 64).")
    ] = True,
    as_json: Json = False,
) -> None:
    """Find out what an endpoint can do: schema, log-probabilities, seed, usage, context, speed.

    Costs about fifteen short requests, and eighty-five more with --concurrency. The card is kept in
    the store, and later runs start from it.
    """
    if model is None:
        listed = list_models(url, key_env)
        if not listed:
            raise UsageError("the endpoint lists no models; name one with --model")
        model = listed[0]
    with Store(store) as opened:
        judge = make_judge(f"openai:{model}", base_url=url, store=opened, key_env=key_env)
        assert isinstance(judge, OpenAIJudge)
        card = judge.run(probe(judge.endpoint, concurrency=concurrency))
        opened.keep_card(judge.endpoint.address, model, card)
        judge.close()
    if as_json:
        _print_json(card)
        return
    table = Table(show_header=False, box=None)
    for name, value in card.items():
        shown = ", ".join(value) or "nothing" if isinstance(value, list) else str(value)
        table.add_row(Text(name), Text("not told" if value is None else clean(shown)))
    _console().print(table)
    _console().print(Text(f"kept in {store}"))


@store_app.command("stats")
def stats_command(store: KeptStoreOption = Path("calm.sqlite"), as_json: Json = False) -> None:
    """Show what a store holds and what it cost, every attempt counted."""
    with Store.existing(store) as opened:
        found = stats(opened)
    if as_json:
        _print_json(found)
        return
    console = _console()
    answers = Table("model", "task", "read as", "answers", "classes", title="Answers")
    for row in found["answers"]:
        verdicts = row["verdicts"]
        classes = ", ".join(f"{v} {n}" for v, n in verdicts.items())
        read_as = row["mode"] or row["kind"]
        cells = (row["model"], row["task"], read_as, str(sum(verdicts.values())), classes)
        answers.add_row(*map(Text, cells))
    console.print(answers)
    calls = Table("model", "attempts", "failed", "prompt", "cached", "completion", "cost",
                  title="Calls and tokens")  # fmt: skip
    for model, row in found["models"].items():
        failed = ", ".join(f"{k} {n}" for k, n in row["failed"].items()) or "none"
        calls.add_row(
            *map(
                Text,
                (
                    model,
                    str(row["attempts"]),
                    failed,
                    *(str(row[f"{n}_tokens"]) for n in ("prompt", "cached", "completion")),
                    _cost(row),
                ),
            )
        )
    console.print(calls)


def _cost(row: dict[str, Any]) -> str:
    unknown = row["calls_of_unknown_price"]
    if row["cost"] is None:
        return "price not known"
    return f"${row['cost']:.4f}" + (f" + {unknown} calls of unknown price" if unknown else "")


@store_app.command("why")
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
    mode: Annotated[str, typer.Option(help=f"Which description: {', '.join(MODES)}.")] = "events",
    temperature: Annotated[float | None, typer.Option(help="As in the run.")] = None,
    max_tokens: Annotated[int, typer.Option(help="As in the run.")] = 1024,
    per_request: Annotated[int, typer.Option(help="As in the run.")] = 1,
    samples: Annotated[int, typer.Option(help="As in the run.")] = 1,
    logprobs: Annotated[bool, typer.Option("--logprobs", help="As in the run.")] = False,
    as_json: Json = False,
) -> None:
    """Say why a question is not answered from the store: which part of its key differs.

    Exits with 1 if it is not stored.
    """
    found_task = find_task(task)
    if mode not in MODES:
        raise UsageError(f"unknown mode {mode!r}; valid: {', '.join(MODES)}")
    if not asks_model(judge):
        raise UsageError("only local:MODEL and openai:MODEL have answers in a store")
    with Store.existing(store) as opened:
        asker = make_judge(
            judge,
            mode=mode,
            store=opened,
            base_url="http://localhost/v1",  # nobody is asked
            temperature=temperature,
            max_tokens=max_tokens,
            per_request=per_request,
            samples=samples,
            logprobs=logprobs,
        )
        assert isinstance(asker, OpenAIJudge)
        context = asker.context(found_task, find_subgoals(subgoals, found_task, opened))
        found = why(opened, context, sys.stdin.read() if text == "-" else text)
    if as_json:
        _print_json(asdict(found) | {"differences": [d._asdict() for d in found.differences]})
    elif found.stored:
        _console().print(Text(f"stored, and read as: {found.verdict}"))
    elif not found.differences:
        _console().print(Text("not stored; the store holds no answers at all"))
    else:
        table = Table("part of the key", "asked for", "nearest stored", show_lines=True)
        for difference in found.differences:
            table.add_row(*(Text(clean(part)) for part in difference))
        _console().print(Text("not stored; from the nearest stored answer these parts differ:"))
        _console().print(table)
    if not found.stored:
        raise typer.Exit(1)


@store_app.command("verify")
def verify_command(store: KeptStoreOption = Path("calm.sqlite"), as_json: Json = False) -> None:
    """Check a store: the file, the records, and that every answer still reads as it was read.

    Exits with 6 if it is damaged.
    """
    with Store.existing(store) as opened:
        audit = verify(opened, settle_stored)
    if as_json:
        _print_json(asdict(audit))
    else:
        console = _console()
        console.print(Text(f"{audit.answers} answers, {audit.unread} read only now"))
        if audit.stale:
            console.print(Text(f"{audit.stale} would be read otherwise by this version of calm"))
        for problem in audit.problems:
            console.print(Text(problem))
    if audit.problems:
        raise StoreError(f"{store} is {DAMAGED}")


@bench_app.command("judge")
def bench_command(quick: Quick = False, as_json: Json = False) -> None:
    """Measure judging: speed at 50 and 500 at once, a rate limit, lookups, a store of a million.

    Everything runs on loopback; nothing is asked of a model.
    """
    run_bench(lambda say: bench_judge(quick, say), as_json)
