"""States a study's findings in plain sentences made from its numbers; a tie is called a tie."""

from __future__ import annotations

from collections.abc import Sequence

from agents.study.equal_time import EqualTime
from agents.study.findings import RATE, ArmFindings, Findings, Pair
from agents.study.plan import Plan
from agents.study.seed_statistics import LEAST_SEEDS, SURE, least_p
from agents.study.tables import fmt_budget, fmt_number, fmt_share, fmt_steps, pays, task_names
from agents.training.settings.config import make_config

UNDOING = ("drop", "close", "untie")
"""Words of actions that undo a deed, so that it can be done again."""


def caveat(findings: Findings) -> str:
    """Returns the sentences on what conclusions the number of seeds allows."""
    fewest = min(one.seeds for one in findings.arms.values())
    unadjusted = "p values are not adjusted for how many there are."
    if fewest == 1:
        return (
            "Some arms have one seed: the interval of their success is that of its episodes alone,"
            f" others are points, and whatever is said of them may be luck. {unadjusted}"
        )
    compared = {pair.by_area.seeds for pair in findings.pairs if pair.task is not None}
    judged = [seeds for seeds in compared if min(seeds) >= LEAST_SEEDS]
    n, m = max(judged, key=lambda seeds: least_p([seeds]), default=(fewest, fewest))
    least = least_p([(n, m)])
    taken = "" if least <= SURE else ", which is then taken for a verdict"
    if not judged and fewest < LEAST_SEEDS:
        taken = ", so that nothing is said of who does better"
    elif len(judged) < len(compared):
        taken += f"; of fewer than {LEAST_SEEDS} nothing is said of who does better"
    return (
        f"The fewest seeds of an arm are {fewest}. An interval is drawn from the seeds alone (2,000"
        f" bootstrap draws), so with {fewest} it shows how far they lie apart and covers less than"
        f" the 95 % of its name; {n} seeds against {m} can't give a p below {least:.2g}{taken}."
        f" {unadjusted}"
    )


def statement(
    plan: Plan, findings: Findings, timed: EqualTime | None = None
) -> dict[str, list[str]]:
    """Returns sentences by task; those about several are under "Several tasks together".

    Args:
        plan: of the study.
        findings: what it shows.
        timed: what it shows at equal time; None where that is not planned.
    """
    pairs = _pairs(plan, findings, timed)
    by_task: dict[str, list[str]] = {}
    for task in findings.tasks:
        arms = findings.of(task)
        lines = [_levels(plan, arms), _soonest(plan, arms), *pairs.get(task, ())]
        by_task[task] = [
            line for line in (*lines, *_farming(plan, arms), *_never_met(plan, arms)) if line
        ]
    if None in pairs:
        by_task["Several tasks together"] = pairs[None]
    return by_task


def _pairs(plan: Plan, findings: Findings, timed: EqualTime | None) -> dict[str | None, list[str]]:
    """Returns sentences on the planned pairs by task, of each that at equal time after the other.

    Those on pairs over several tasks are under None.
    """
    # Both hold the pairs of the same arms, in the plan's order.
    at_time = timed.pairs if timed else [None] * len(findings.pairs)
    by_task: dict[str | None, list[str]] = {}
    for by_steps, by_time in zip(findings.pairs, at_time, strict=True):
        lines = by_task.setdefault(by_steps.task, [])
        if by_steps.task is None:
            lines.append(_over_tasks(plan, findings, by_steps, "the steps"))
            if by_time:
                lines.append(f"At equal time: {_over_tasks(plan, findings, by_time, 'the time')}")
        else:
            lines.append(_pair(plan, findings, by_steps))
            if by_time:
                lines.append(f"At equal time: {_compared(plan, by_time, 'the time')}.")
    return by_task


def _levels(plan: Plan, arms: Sequence[ArmFindings]) -> str:
    """Returns a sentence on the success of all arms of a task, the best first."""
    ranked = sorted(arms, key=lambda a: -a.final.value)
    levels = "; ".join(f"{_name(plan, a.arm)} {fmt_share(a.final)}" for a in ranked)
    return f"Success on unseen levels after {fmt_budget(arms)} steps, IQM over seeds: {levels}."


def _soonest(plan: Plan, arms: Sequence[ArmFindings]) -> str:
    """Returns sentences on when arms of a task reached the rate, the soonest first."""
    medians = [(a.reached.median, _name(plan, a.arm)) for a in arms if a.reached.median is not None]
    some = [
        f"{_name(plan, a.arm)} ({a.reached.n} of {a.reached.of},"
        f" first at {fmt_steps(a.reached.least)})"
        for a in arms
        if a.reached.median is None and a.reached.least is not None
    ]
    never = [_name(plan, a.arm) for a in arms if a.reached.least is None]
    sentences = []
    if medians:
        order = ", ".join(f"{label} {fmt_steps(steps)}" for steps, label in sorted(medians))
        sentences.append(f"{100 * RATE:.0f} % was reached, in the median seed, at: {order}.")
    if some:
        sentences.append(f"Fewer than half of the seeds reached it of: {', '.join(some)}.")
    if never:
        sentences.append(f"No seed reached it of: {', '.join(never)}.")
    return " ".join(sentences)


def _compared(plan: Plan, pair: Pair, over: str) -> str:
    """Returns how two arms compare on a task over "the steps" or "the time"; no full stop."""
    first, second = _name(plan, pair.first), _name(plan, pair.second)
    sooner, better = pair.by_area.verdict, pair.by_final.verdict
    area, end = pair.by_area, pair.by_final
    chance = (
        f"P(better) {fmt_number(area.probability)} over {over}, p = {area.p:.2g};"
        f" {fmt_number(end.probability)} at the end, p = {end.p:.2g}"
    )
    than = {"ahead": "ahead of", "behind": "behind"}
    if "too few" in (sooner, better):
        seeds = " and ".join(map(str, area.seeds))
        return f"{first} and {second}: too few seeds for a verdict, {seeds} ({chance})"
    if sooner == better == "tie":
        comparison = f"{first} and {second}: a tie, no difference shown on the way or at the end"
    elif better == "tie":
        comparison = f"{first} is {than[sooner]} {second} while learning; at the end it is a tie"
    elif sooner == "tie":
        comparison = f"{first} is {than[better]} {second} at the end; on the way it is a tie"
    elif sooner == better:
        comparison = f"{first} is {than[sooner]} {second}, on the way and at the end"
    else:
        comparison = f"{first} is {than[sooner]} {second} on the way and {better} at the end"
    return f"{comparison} ({chance})"


def _pair(plan: Plan, findings: Findings, pair: Pair) -> str:
    """Returns sentences on how two arms compare on a task."""
    line = f"{_compared(plan, pair, 'the steps')}."
    sooner, better = pair.by_area.verdict, pair.by_final.verdict
    if "too few" in (sooner, better):
        return line
    assert pair.task is not None
    sides = [findings.arms[pair.task, arm] for arm in (pair.first, pair.second)]
    if len({side.reached.budget for side in sides}) > 1:
        steps = " and ".join(fmt_steps(side.reached.budget) for side in sides)
        line += f" They were trained for {steps} steps."
    if _pays(sides[0]) and not _pays(sides[1]):
        finals = [side.final.value for side in sides]
        if "ahead" not in (sooner, better):
            harm = ", and does harm" if "behind" in (sooner, better) else ""
            line += f" Here this credit adds nothing that these seeds can show{harm}."
        elif finals[1] >= RATE:
            line += " The task is learned without this credit too."
        elif finals[0] >= RATE:
            line += " Without this credit the task is not solved within these steps."
        else:
            line += " Neither solves the task within these steps."
    return line


def _name(plan: Plan, arm: str) -> str:
    """Returns an arm's label in quotes."""
    return f"“{plan.arms[arm].label}”"


def _pays(arm: ArmFindings) -> bool:
    """Returns whether an arm was paid credit."""
    return pays(arm.results[0].config)


def _never_met(plan: Plan, arms: Sequence[ArmFindings]) -> list[str]:
    """Returns warnings of subgoals that a judge never confirmed, which paid nothing."""
    return [
        f"{_name(plan, arm.arm)} was paid nothing for {', '.join(arm.never_met)}: its judge"
        " confirmed that in no episode of any evaluation."
        for arm in arms
        if arm.never_met
    ]


def _farming(plan: Plan, arms: Sequence[ArmFindings]) -> list[str]:
    """Returns sentences on whether arms that are paid for repeats make more than unpaid ones."""
    counted = [(a, a.farming, a.farming.per_hundred) for a in arms if a.farming]
    known = [(a, f, rate) for a, f, rate in counted if rate is not None]
    lines = []
    for one, f, rate in known:
        if one.results[0].config["shaping"] != "every" or f.credit is None:
            continue
        others = [(a, r) for a, farming, r in known if not farming.for_repeats and a is not one]
        if one.seeds < LEAST_SEEDS or not others or not _pays(one):
            continue
        most, its = max(others, key=lambda pair: pair[1].value)
        label, other = _name(plan, one.arm), _name(plan, most.arm)
        farms = rate.low > max(e.high for _, e in others)
        lines.append(
            f"{label} {'farms' if farms else 'is not seen to farm'}: it repeats a subgoal"
            f" {fmt_number(rate)} times in 100 steps, and the most that any arm repeats"
            f" unpaid is {fmt_number(its)} ({other}); {f.for_repeats or 0:.2f} of the"
            f" {f.credit:.2f} credit of an episode was paid for repeats."
        )
    if counted and all(f.by_truth and not f.deeds for _, f, _ in counted):
        line = "No deed (taking, opening, arriving) was repeated by any arm."
        actions = " ".join(make_config(dict(arms[0].results[0].config)).described.actions)
        if not any(word in actions for word in UNDOING):
            line += (
                " The task gives no action to drop or to close, so nothing is taken or opened"
                " twice; going in and out of nearness can be repeated."
            )
        lines.append(line)
    return lines


def _over_tasks(plan: Plan, findings: Findings, pair: Pair, over: str) -> str:
    """Returns a sentence on how two arms compare over tasks and "the steps" or "the time"."""
    first, second = _name(plan, pair.first), _name(plan, pair.second)
    verdict = {"ahead": "ahead of", "behind": "behind", "tie": "not told apart from"}
    if pair.by_area.verdict == "too few":
        return f"{first} and {second}: too few seeds on some tasks for a verdict over all."
    return (
        f"{first} is {verdict[pair.by_area.verdict]} {second} over {over}"
        f" ({task_names(findings, pair)}): P(better) {fmt_number(pair.by_area.probability)}, p ="
        f" {pair.by_area.p:.2g}."
    )
