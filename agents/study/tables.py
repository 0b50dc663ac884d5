"""Makes the study's tables, for the report and as markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from agents.report.tables import Table, in_questions, plain
from agents.study.findings import ArmFindings, Findings, Pair
from agents.study.plan import Plan
from agents.study.results import Result
from agents.study.seed_statistics import Comparison, Reached
from data.scoring.metrics import Estimate


def fmt_share(e: Estimate) -> str:
    """Formats a share with its interval: 97 % [93, 100]."""
    return f"{100 * e.value:.0f} % [{100 * e.low:.0f}, {100 * e.high:.0f}]"


def fmt_number(e: Estimate) -> str:
    """Formats a number with its interval: 0.83 [0.52, 1.00]."""
    return f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]"


def fmt_count(n: int, noun: str) -> str:
    """Formats a number of things: 1 seed, 3 seeds."""
    return f"{n} {noun}" + ("" if n == 1 else "s")


def fmt_budget(arms: Sequence[ArmFindings]) -> str:
    """Formats the steps that arms were trained for: 400k, or 400k to 20M where they differ."""
    least, most = (choose(arm.reached.budget for arm in arms) for choose in (min, max))
    return fmt_steps(least) + ("" if least == most else f" to {fmt_steps(most)}")


def fmt_steps(steps: float) -> str:
    """Formats steps: 1.25M, 300k or 512."""
    if steps >= 1e6:
        return f"{steps / 1e6:.4g}M"
    return f"{steps / 1e3:.4g}k" if steps >= 1e4 else f"{steps:,.0f}"


def fmt_reached(r: Reached, fmt: Callable[[float], str] = fmt_steps) -> str:
    """Formats when the median seed got there, with least and most; beyond the budget is censored.

    Args:
        r: in steps, or in what `fmt` formats.
        fmt: formats one of its numbers.
    """
    beyond = f"> {fmt(r.budget)}"
    if r.least is None:
        return f"{beyond}, in none of {r.of}"
    median = beyond if r.median is None else fmt(r.median)
    most = beyond if r.most is None else fmt(r.most)
    return f"{median} [{fmt(r.least)}, {most}], in {r.n} of {r.of}"


def fmt_soonest(r: Reached) -> str:
    """Returns the median step, or the least and of how many where it lies beyond the budget."""
    if r.median is not None:
        return fmt_steps(r.median)
    return "never" if r.least is None else f"{fmt_steps(r.least)} in {r.n} of {r.of}"


def markdown(table: Table) -> str:
    """Returns a table as GitHub's markdown."""

    def line(cells: Sequence[object]) -> str:
        escaped = (str(c).replace("|", "\\|").replace("<", "&lt;") for c in cells)
        return "| " + " | ".join(escaped) + " |"

    rule = line(["---"] * len(table.columns))
    return "\n".join([line(table.columns), rule, *map(line, table.rows)]) + "\n"


def success_table(plan: Plan, findings: Findings) -> Table:
    """Returns success and steps to 90 %, a row an arm of a task."""
    rows = [
        (
            one.task,
            plan.arms[one.arm].label,
            one.seeds,
            fmt_steps(one.reached.budget),
            fmt_share(one.final),
            fmt_share(one.area),
            fmt_reached(one.reached),
            " ".join(f"{100 * f:.0f}" for f in one.finals),
            " ".join(map(_percent, (r.rows[-1].get("success_greedy") for r in one.results))),
        )
        for one in findings.arms.values()
    ]
    return Table(
        (
            "task",
            "agent",
            "seeds",
            "steps",
            "success at the end",
            "mean success over the steps",
            "90 % at",
            "each seed at the end, %",
            "with its likeliest actions, %",
        ),
        rows,
    )


def summary_table(plan: Plan, findings: Findings) -> Table:
    """Returns arms against tasks: success at the end, and when 90 % was reached; for a README.

    A cell with fewer seeds than its column's head has their number beside it.
    """
    arms = [a for a in plan.arms if any((t, a) in findings.arms for t in findings.tasks)]

    def cell(task: str, arm: str) -> str:
        one = findings.arms.get((task, arm))
        if one is None:
            return "–"
        fewer = "" if one.seeds == most[task] else f" ({fmt_count(one.seeds, 'seed')})"
        return f"{fmt_share(one.final)}; {fmt_soonest(one.reached)}{fewer}"

    most = {task: max(one.seeds for one in findings.of(task)) for task in findings.tasks}
    heads = [
        f"{task}, {fmt_budget(findings.of(task))} steps, {fmt_count(most[task], 'seed')}"
        for task in findings.tasks
    ]
    rows = [[plan.arms[a].label, *(cell(t, a) for t in findings.tasks)] for a in arms]
    if len(findings.tasks) > 1:
        heads.append("all tasks")
        for arm, row in zip(arms, rows, strict=True):
            whole = findings.whole(arm)
            row.append("–" if whole is None else fmt_share(whole))
    return Table(("agent", *heads), rows)


def _percent(share: float | None) -> str:
    """Formats a share in [0, 1] as a whole percentage without its sign."""
    return "–" if share is None else f"{100 * share:.0f}"


def comparison_table(
    plan: Plan, findings: Findings, pairs: Sequence[Pair] | None = None, over: str = "the steps"
) -> Table:
    """Returns the compared pairs of arms with the chance that a seed of the first does better.

    Args:
        plan: of the study.
        findings: of its results.
        pairs: of arms; None for those of the findings.
        over: what the pairs' mean success is taken over.
    """

    def cells(c: Comparison) -> tuple[str, str, str]:
        return fmt_number(c.probability), f"{c.p:.2g}", c.verdict

    rows = [
        (
            task_names(findings, pair),
            plan.arms[pair.first].label,
            plan.arms[pair.second].label,
            f"{pair.by_area.seeds[0]}, {pair.by_area.seeds[1]}",
            *cells(pair.by_area),
            *cells(pair.by_final),
        )
        for pair in sorted(findings.pairs if pairs is None else pairs, key=lambda p: p.task is None)
    ]
    return Table(
        (
            "task",
            "agent",
            "against",
            "seeds",
            f"P(better), over {over}",
            "p",
            "so it is",
            "P(better), at the end",
            "p",
            "so it is",
        ),
        rows,
    )


def task_names(findings: Findings, pair: Pair) -> str:
    """Returns the names of the tasks that a pair was compared on."""
    if pair.task is not None:
        return pair.task
    every = len(pair.over) == len(findings.tasks)
    return "all tasks together" if every else f"{', '.join(pair.over)} together"


def farming_table(plan: Plan, findings: Findings) -> Table:
    """Returns how often subgoals are achieved again, and what that was paid, by arm and task."""

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    rows = []
    for one in findings.arms.values():
        f = one.farming
        if f is None:
            continue
        config = one.results[0].config
        rows.append(
            (
                one.task,
                plan.arms[one.arm].label,
                config["shaping"] if pays(config) else "–",
                fmt_share(one.final),
                f"{f.length:.0f}",
                number(f.approaches),
                number(f.deeds),
                "–" if f.per_hundred is None else fmt_number(f.per_hundred),
                number(f.judged),
                number(f.false),
                number(f.credit),
                number(f.for_repeats),
            )
        )
    return Table(
        (
            "task",
            "agent",
            "shaping",
            "success",
            "steps of an episode",
            "repeats: getting somewhere",
            "repeats: deeds",
            "repeats per 100 steps",
            "repeats by the judge",
            "false yeses",
            "paid",
            "of it for repeats",
        ),
        rows,
    )


def subgoal_table(plan: Plan, findings: Findings) -> Table:
    """Returns the repeats of each subgoal by the truth, arms in columns."""
    arms = [a for a in plan.arms if any((t, a) in findings.arms for t in findings.tasks)]
    rows: list[tuple[Any, ...]] = []
    for task in findings.tasks:
        repeats = {one.arm: one.farming.by_subgoal for one in findings.of(task) if one.farming}
        names = list(next(iter(repeats.values()), {}))
        for name in names:
            cells = (f"{repeats[a][name]:.2f}" if a in repeats else "–" for a in arms)
            rows.append((task, name, *cells))
    return Table(("task", "subgoal", *(plan.arms[a].label for a in arms)), rows)


def pays(config: Mapping[str, Any]) -> bool:
    """Returns whether settings pay credit; a judge whose weight is 0 is asked, and pays nothing."""
    return bool(config["judge"] != "none" and config["weight"])


def cost_table(plan: Plan, findings: Findings) -> Table:
    """Returns the judges' questions and costs and the training's time, means over seeds."""
    rows = []
    for one in findings.arms.values():
        last = [r.rows[-1] for r in one.results]
        speed = fmean([row["steps"] / max(row["seconds"], 1e-9) for row in last])
        hours = sum(row["seconds"] + row["eval_seconds"] for row in last) / 3600
        costs: tuple[str, ...] = ("–",) * 5
        if all(row.get("asked") is not None for row in last):
            questions = fmean([row["asked"] for row in last])
            judged = fmean([row["judged"] for row in last])
            dollars = [row["cost"] for row in last]
            tokens = fmean([row["prompt_tokens"] + row["completion_tokens"] for row in last])
            costs = (
                in_questions(questions, fmean([row.get("by_student") or 0 for row in last])),
                f"{100 * (1 - questions / max(1.0, judged)):.2f} %",
                f"{fmean([row['unreadable'] for row in last]):,.0f}",
                f"{tokens:,.0f}",
                "price unknown" if None in dollars else f"$ {fmean(dollars):.4f}",
            )
        rates: tuple[str, ...] = ("–",) * 2
        if all(row.get("judge_precision") is not None for row in last):
            rates = tuple(
                " ".join(f"{row[name]:.2f}" for row in last)
                for name in ("judge_precision", "judge_recall")
            )
        rows.append(
            (one.task, plan.arms[one.arm].label, *costs, *rates, f"{speed:,.0f}", f"{hours:.2f}")
        )
    return Table(
        (
            "task",
            "agent",
            "distinct questions",
            "answered from memory",
            "unreadable",
            "tokens",
            "cost",
            "precision heard",
            "recall heard",
            "steps/s by the wall clock",
            "hours, all seeds",
        ),
        rows,
    )


def settings_table(plan: Plan, findings: Findings) -> Table:
    """Returns the settings that the arms of a task share, then those in which arms differ."""
    rows: list[tuple[Any, ...]] = []
    configs = {key: one.results[0].config for key, one in findings.arms.items()}
    for name in next(iter(configs.values()), {}):
        if name in ("task", "seed"):
            continue
        by_task: dict[str, list[str]] = {}
        for (task, _), config in configs.items():
            by_task.setdefault(task, []).append(plain(config.get(name)))
        shared = all(len(set(values)) == 1 for values in by_task.values())
        cells = ["; ".join(dict.fromkeys(values)) for values in by_task.values()]
        if shared or name not in _differing(plan):
            rows.append((name, *cells))
    for arm, planned in plan.arms.items():
        if any(a == arm for _, a in findings.arms):
            own = ", ".join(f"{k}: {v}" for k, v in planned.settings.items())
            rows.append((f"{planned.label}: {planned.reward}", *[own] * len(findings.tasks)))
    return Table(("setting", *findings.tasks), rows)


def _differing(plan: Plan) -> set[str]:
    """Returns the names of the settings that some arm sets."""
    return {name for arm in plan.arms.values() for name in arm.settings}


def origin_table(results: Sequence[Result]) -> Table:
    """Returns commit, machine and times of each cell."""
    rows = []
    for r in sorted(results, key=lambda r: r.cell):
        p = r.provenance
        resumed = ", ".join(f"{s:,}" for s in p.get("resumed_at", ())) or "–"
        hours = (p.get("training_seconds", 0.0) + p.get("eval_seconds", 0.0)) / 3600
        rows.append(
            (
                str(r.cell),
                r.hash,
                p["commit"],
                p["machine"],
                p.get("threads", "unknown"),
                p["started"],
                resumed,
                f"{hours:.2f}",
            )
        )
    return Table(
        (
            "cell",
            "settings",
            "commit",
            "machine",
            "threads of updates",
            "started",
            "resumed at steps",
            "hours",
        ),
        rows,
    )
