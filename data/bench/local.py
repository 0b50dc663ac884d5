"""`calm bench local`: how fast a model on this machine judges, and how rightly, by form of answer.

Every contestant is a model asked in one form about the same transitions, with a server started
anew, so that no prompt is in its memory from before; loading is not counted. The first form is
also asked one question at a time: `MODEL at_once` is what the slots bring. `MODEL FORM` is a
form's judgements a second over the first form's. A judgement is about one distinct text; beside it
stands how many requests all of them took, since a form that asks about single lines needs the fewer
for each text the more texts there are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from calm.annotation.many import annotate
from calm.asking.form import BOOLEANS
from calm.bench.harness import Row, Say, machine, ratio, row
from calm.judges.local import LocalJudge, local_judge
from calm.records import LabelledTransition, Mode, Usage
from calm.store.store import Store
from data.dataset import load
from data.parquet import Transitions
from data.sampling import draw
from data.scoring.metrics import confusion, mcc

QUESTIONS, QUICK_QUESTIONS = 60, 8
ROUNDS = 3


def run(
    models: Sequence[str],
    forms: Sequence[str] = (BOOLEANS.name,),
    *,
    data: str = "keyroom-v1",
    part: str = "",
    mode: Mode = "events",
    questions: int | None = None,
    server: Mapping[str, Any] | None = None,
    quick: bool = False,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Runs the bench and returns its report (see `calm.bench.harness`).

    Args:
        models: as in `local:MODEL`.
        forms: names of `calm.asking.form`.
        data, part: the labelled transitions; their tasks' given subgoals are asked.
        questions: distinct texts that are asked about; None for 60, or 8 if quick.
        server: threads, slots and context, where they are not left to the machine.
        quick: one round instead of three.

    Raises:
        UsageError: no such model, form or set.
    """
    count = questions or (QUICK_QUESTIONS if quick else QUESTIONS)
    chosen = load(data).part(part)
    rows_of_set = _distinct(chosen, mode, count)
    contestants = [(m, f, at) for m in models for f in forms for at in ("slots", "single")]
    contestants = [c for c in contestants if c[2] == "slots" or c[1] == forms[0]]
    measured: dict[tuple[str, str, str], list[dict[str, float]]] = {c: [] for c in contestants}
    for turn in range(1 if quick else ROUNDS):
        for model, form, at in contestants:
            say(f"round {turn + 1}: {model}, {form}, {_TITLES[at]}")
            options = dict(server or {}) | {"form": form}
            if at == "single":
                options["concurrency"] = 1
            figures = _measure(model, options, chosen, rows_of_set, mode)
            measured[model, form, at].append(figures)
    table: list[Row] = []
    for (model, form, at), rounds in measured.items():
        for name, unit in _UNITS.items():
            values = [figures[name] for figures in rounds]
            title = f"{Path(model).name}, {form}, {_TITLES[at]}: {name}"
            table.append(row(title, unit, values, model=model, form=form, at_once=at))
    return {
        "bench": "local",
        "machine": machine(set=data, mode=mode, questions=len(rows_of_set), quick=quick),
        "rows": table,
        "ratios": _ratios(measured, models, forms),
    }


_TITLES = {"slots": "in all slots", "single": "one at a time"}
_UNITS = {
    "judgements": "1/s",
    "requests": "in all",
    "prompt": "tokens",
    "reused": "share of prompt",
    "answer": "tokens",
    "unreadable": "share",
    "agreement": "MCC",
}


def _distinct(part: Transitions, mode: Mode, count: int) -> Sequence[LabelledTransition]:
    """Returns rows of different texts, classes in proportion; at most `count`."""
    rows: dict[tuple[str, str], LabelledTransition] = {}
    for candidate in part.rows:
        transition = candidate.transition
        rows.setdefault((transition.task, transition.texts[mode]), candidate)
    return draw(replace(part, rows=list(rows.values())), count)


def _measure(
    model: str,
    options: Mapping[str, Any],
    part: Transitions,
    rows: Sequence[LabelledTransition],
    mode: Mode,
) -> dict[str, float]:
    """Returns one contestant's figures from a server of its own, which then ends."""
    with Store() as store:
        judge = local_judge(model, mode, store=store, tell=lambda line: None, options=options)
        try:
            judge.run(judge.endpoint.transport.open())
            return _judge_rows(judge, part, rows)
        finally:
            judge.close()
            judge.lease.wait_for_end()


def _judge_rows(
    judge: LocalJudge, part: Transitions, rows: Sequence[LabelledTransition]
) -> dict[str, float]:
    usage, seconds, unreadable = Usage(), 0.0, 0
    truth: list[int] = []
    answers: list[int] = []
    for id, task in part.tasks.items():
        of_task = [r for r in rows if r.transition.task == id]
        if not of_task:
            continue
        clock = time.perf_counter()
        judged, summary = annotate(judge, task, task.subgoals, [r.transition for r in of_task])
        seconds += time.perf_counter() - clock
        if summary.stopped is not None:
            raise summary.stopped
        usage += summary.usage
        unreadable += summary.unreadable
        names = [s.name for s in task.subgoals]
        for labelled, judgement in zip(of_task, judged, strict=True):
            truth += labelled.achieved(names).tolist()
            answers += [int(a) for a in judgement.row(task.subgoals)]
    counts = confusion(truth, answers, np.zeros(len(truth), dtype=np.int64), 1)
    return {
        "judgements": len(rows) / seconds,
        "requests": usage.requests,
        "prompt": usage.prompt_tokens / len(rows),
        "reused": usage.cached_tokens / max(1, usage.prompt_tokens),
        "answer": usage.completion_tokens / len(rows),
        "unreadable": unreadable / len(rows),
        "agreement": float(np.nan_to_num(mcc(counts)[0])),
    }


def _ratios(
    measured: Mapping[tuple[str, str, str], Sequence[Mapping[str, float]]],
    models: Sequence[str],
    forms: Sequence[str],
) -> dict[str, float]:
    def speeds(model: str, form: str, at: str) -> list[float]:
        return [figures["judgements"] for figures in measured[model, form, at]]

    ratios = {}
    for model in models:
        first = speeds(model, forms[0], "slots")
        ratios[f"{Path(model).name} at_once"] = ratio(first, speeds(model, forms[0], "single"))
        for form in forms[1:]:
            ratios[f"{Path(model).name} {form}"] = ratio(speeds(model, form, "slots"), first)
    return ratios
