"""`calm annotate`: one judge's answers about every transition of a set, kept and written out."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from calm.cli.options import BaseUrl, Json, KeyEnv, StoreOption
from calm.errors import UsageError, unknown
from calm.files import check_writable
from calm.records import MODES, Mode, Task, Usage, Verdict
from data.cli import model_options as ask

if TYPE_CHECKING:
    from calm.annotation.many import Summary


def annotate_command(
    judge: Annotated[
        str,
        typer.Option(
            help="Whom to ask: local:MODEL, openai:MODEL, rules, replay:MODEL, always-no, ..."
        ),
    ],
    data: Annotated[
        str, typer.Option(help="A labelled set, or a parquet file as `calm collect` writes it.")
    ] = "keyroom-v1",
    part: Annotated[str, typer.Option(help="Part of the set.", show_default="the first")] = "",
    mode: Annotated[str, typer.Option(help="What it reads: screen, crop or events.")] = "events",
    out: Annotated[
        Path | None, typer.Option(help="Parquet file for the answers, a row for each transition.")
    ] = None,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrl = None,
    limit: Annotated[int, typer.Option(min=0, help="Only the first N; 0: all.")] = 0,
    samples: ask.Samples = 1,
    subgoals: Annotated[
        str, typer.Option(help="given, a YAML file of `calm decompose`, or a stored list's hash.")
    ] = "given",
    per_request: Annotated[
        int, typer.Option(min=1, help="Transitions in one request, matched by id.")
    ] = 1,
    repair: ask.Repair = False,
    logprobs: ask.Logprobs = False,
    batch: Annotated[
        bool, typer.Option(help="Through the Batch API: cheaper, within a day, resumable.")
    ] = False,
    concurrency: ask.Concurrency = 64,
    rpm: ask.Rpm = None,
    tpm: ask.Tpm = None,
    timeout: ask.Timeout = 120.0,
    deadline: ask.Deadline = 900.0,
    prices: ask.Prices = None,
    key_env: KeyEnv = "OPENAI_API_KEY",
    max_cost: ask.MaxCost = None,
    max_tokens: ask.MaxTokens = None,
    max_requests: ask.MaxRequests = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked and cost; ask nothing.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the random judge.")] = 0,
    as_json: Json = False,
) -> None:
    """Have one judge answer about every transition, through the store.

    Stopped by Ctrl-C, a limit or a dead endpoint, it keeps what was answered, and the same command
    goes on from there. A limit counts what these questions (task, subgoals, prompt, model) have
    cost in this store, whichever run paid: a job started again does not get its limit anew. Exits
    with 3 at a limit, with 4 if some answers could not be read.
    """
    # What asks takes a second to import; `calm --help` should not wait for it.
    from calm.annotation.many import annotate
    from calm.endpoint.budget import Limits
    from calm.judges import make_judge
    from calm.judges.openai import OpenAIJudge
    from calm.store.store import Store
    from calm.subgoals import find_subgoals
    from data.cli.watch import Watch
    from data.dataset import load
    from data.evaluation.unreadable import unreadable
    from data.parquet import write_judgements
    from data.schema import JudgedTransition

    chosen = load(data).part(part)
    if mode not in MODES:
        raise unknown("description", mode, MODES)
    reads: Mode = mode
    if out is not None:
        check_writable(out)
    options: dict[str, Any] = {
        "limits": Limits(max_cost, max_tokens, max_requests),
        "samples": samples,
        "per_request": per_request,
        "repair": repair,
        "logprobs": logprobs,
        "batch": batch,
        "concurrency": concurrency,
        "rpm": rpm,
        "tpm": tpm,
        "timeout": timeout,
        "deadline": deadline,
        "prices": prices,
        "key_env": key_env,
    }
    ask.check_taken([judge], options)
    rows = chosen.rows[: limit or None]
    with Store(store) as answers:
        tasks = {
            id: replace(task, subgoals=find_subgoals(subgoals, task, answers))
            for id, task in chosen.tasks.items()
            if any(r.transition.task == id for r in rows)
        }
        asked = make_judge(
            judge,
            mode=reads,
            store=answers,
            base_url=base_url,
            seed=seed,
            **ask.taken(judge, options),
        )
        if dry_run:
            _show_plan(asked, tasks, rows, as_json)
            return
        if isinstance(asked, OpenAIJudge):  # a limit is on all of it, so all that was paid counts
            for task in tasks.values():
                asked.asker.count_before(asked.context(task, task.subgoals))
        found: list[JudgedTransition] = []
        summaries: list[Summary] = []
        console = Console(stderr=True)
        for id, task in tasks.items():
            transitions = [r.transition for r in rows if r.transition.task == id]
            with Watch(console) as watch:
                result = annotate(asked, task, task.subgoals, transitions, progress=watch.line(id))
            summaries.append(result.summary)
            found += [
                JudgedTransition(t.id, asked.name, reads, j)
                for t, j in zip(transitions, result.judgements, strict=True)
            ]
            if result.summary.stopped:
                break
    if out:
        write_judgements(out, found)
    _show(summaries, out, as_json)
    if stopped := next((s.stopped for s in summaries if s.stopped), None):
        raise stopped
    if error := unreadable(found):
        raise error


def _show_plan(judge: object, tasks: Mapping[str, Task], rows: list[Any], as_json: bool) -> None:
    from calm.annotation.many import plan
    from calm.judges.openai import OpenAIJudge

    if not isinstance(judge, OpenAIJudge):
        raise UsageError("--dry-run tells what a model would cost; this judge costs nothing")
    plans = {
        id: vars(
            plan(
                judge, task, task.subgoals, [r.transition for r in rows if r.transition.task == id]
            )
        )
        for id, task in tasks.items()
    }
    if as_json:
        sys.stdout.write(json.dumps(plans, indent=2) + "\n")
        return
    for id, p in plans.items():
        sys.stdout.write(f"{id}: {_told_plan(p)}\n")
    if len(plans) > 1:
        sys.stdout.write(f"all: {_told_plan(_total(list(plans.values())))}\n")


def _told_plan(p: Mapping[str, Any]) -> str:
    known = f"{p['transitions']} transitions, {p['questions']} questions, {p['stored']} answered"
    paid = f"paid so far {_dollars(p['paid'])}"
    if not p["new"]:
        return f"{known}: nothing to ask; {paid}"
    time = "time not known before the first answers"
    if p["seconds"] is not None:
        time = f"about {_clock(p['seconds'])} at the speed of earlier answers"
    tokens = p["prompt_tokens"] + p["completion_tokens"]
    return (
        f"{known}, {p['new']} to ask in {p['requests']} requests; about {tokens:,} tokens,"
        f" cost {_dollars(p['cost'])}, {time}; {paid}"
    )


def _total(plans: list[dict[str, Any]]) -> dict[str, Any]:
    """The sum of plans; what is not known of one is not known of all."""
    columns = {name: [p[name] for p in plans] for name in plans[0]}
    return {name: None if None in column else sum(column) for name, column in columns.items()}


def _dollars(cost: float | None) -> str:
    return "price unknown (see --prices)" if cost is None else f"US$ {cost:.4f}"


def _clock(seconds: float) -> str:
    hours, rest = divmod(math.ceil(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def _show(summaries: list[Summary], out: Path | None, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps([s.as_json() for s in summaries], indent=2) + "\n")
        return
    for s in summaries:
        sys.stdout.write(f"{s.judge} on {s.task}: {_told(s)}\n")
    if out:
        sys.stdout.write(f"answers written to {out}\n")


def _told(s: Summary) -> str:
    parts = [
        f"{s.transitions} transitions, {s.questions} questions, {s.hits} from the store,"
        f" {s.asked} asked now in {s.seconds:.1f} s",
        ", ".join(f"{n} {v}" for v, n in _classes(s).most_common()),
    ]
    if s.failures:
        failed = ", ".join(f"{n} {kind}" for kind, n in Counter(s.failures).most_common())
        parts.append(f"attempts that failed: {failed}")
    if s.paid.requests:  # a judge that asks an endpoint
        parts.append(f"now {_spent(s.usage)}")
        parts.append(f"in all, with earlier runs, {_spent(s.paid)}")
    return "; ".join(parts)


def _classes(s: Summary) -> Counter[str]:
    """Transitions by verdict class, those that nobody was asked about apart."""
    classes = Counter(s.verdicts) - Counter({Verdict.ERROR.value: s.unasked})
    return classes + Counter({"not asked": s.unasked})


def _spent(usage: Usage) -> str:
    tokens = usage.prompt_tokens + usage.completion_tokens
    cost = f", {_dollars(usage.cost)}" if tokens else ""
    return f"{usage.requests} requests, {tokens:,} tokens{cost}"
