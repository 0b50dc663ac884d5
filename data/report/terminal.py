"""The evaluation as tables for a terminal. All text from models and games is shown as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calm.records import Usage
from data.evaluation.evaluate import EvaluationTable
from data.evaluation.paper import paper_table
from data.schema import ENGINE, PEOPLE
from data.scoring.metrics import Estimate
from data.scoring.raters import RaterAgreement
from data.scoring.score import Score

_WIDE = ("MCC", "bal. accuracy", "P at nat. rate", "MCC difference")
"""Columns of intervals, which must not break."""

_PAPER = ("f1", "accuracy", "precision", "recall")


def fmt_share(value: float) -> str:
    """Returns a share with two digits; a dash where it is not defined."""
    return "–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}"  # no "-0.00"


def fmt_interval(e: Estimate) -> str:
    """Returns an estimate with its interval, as `0.81 [.75 .86]`; without, where it has none."""
    if np.isnan(e.low):
        return fmt_share(e.value)
    low, high = (fmt_share(x).replace("0.", ".") for x in (e.low, e.high))
    return f"{fmt_share(e.value)} [{low} {high}]"


def fmt_number(number: float) -> str:
    """Returns a number with three significant digits; a dash where it is not defined."""
    return "–" if np.isnan(number) else f"{number:.3g}"


def render(table: EvaluationTable, paper: bool = False, pairs: int = 12) -> Group:
    """Returns all of a table that fits a terminal of 100 columns.

    Args:
        table: what to show.
        paper: whether to print the paper's rows of the same conditions beside ours. Only its own
            design (three even classes of KeyRoom) can be compared with them.
        pairs: how many comparisons to show, closest to the best judge first.
    """
    kinds = ", ".join(f"{n} {kind}" for kind, n in list(table.kinds.items())[:6])
    more = f" and {len(table.kinds) - 6} more classes" if len(table.kinds) > 6 else ""
    head = Text.assemble(
        (table.name or "evaluation", "bold"),
        f": {len(table.rows)} transitions of {table.episodes} episodes ({kinds}{more})"
        f"{', ' + table.drawn if table.drawn else ''};"
        f" natural rate {table.reference.natural_rate:.3f}",
    )
    parts: list[RenderableType] = [head]
    if table.against != ENGINE or table.left_out:
        parts.append(_against(table))
    parts.append(quality_table(table.scores, table.people))
    if paper:
        parts.append(papers_table(table.scores, discovered=bool(table.matches)))
    parts.append(subgoal_table(table))
    if any(sum(s.unreadable_by_kind.values()) for s in table.scores):
        parts.append(unreadable_table(table))
    if any(s.usage != Usage() or s.calibration or not np.isnan(s.flip_rate) for s in table.scores):
        parts.append(cost_table(table.scores))
    if table.comparisons:
        parts.append(pairwise_table(table, pairs))
    if table.agreement is not None:
        parts += kappa_tables(table.agreement)
    parts += [_match_table(table)] if table.matches else []
    return Group(*parts)


def _against(table: EvaluationTable) -> Text:
    """Returns a line on what the reference is, and how many rows it says nothing of."""
    who = "the engine's truth"
    if table.against != ENGINE:
        who = "the majority of people" if table.against == PEOPLE else f"{table.against}'s labels"
    left_out = ", ".join(f"{n} {reason}" for reason, n in table.left_out.items())
    return Text(f"Against {who}; left out: {left_out or 'nothing'}")


def quality_table(scores: Sequence[Score], people: Sequence[Score] = ()) -> Table:
    """Returns the table of chance-corrected scores (MCC, …), which always yes cannot raise.

    People stand below the judges, each with the number of transitions that they were scored on.
    """
    out = columns(
        "Any subgoal, 95 % intervals by episode; exact: every subgoal right",
        ["judge", "reads"],
        [
            *(["n"] if people else []),
            "MCC",
            "MCC of subgoals",
            "bal. accuracy",
            "P at nat. rate",
            "exact",
        ],
    )
    for group in (scores, people):
        for s in group:
            m = s.metrics
            spans = (
                fmt_interval(m[k])
                for k in ("mcc", "mcc_subgoals", "balanced_accuracy", "precision_natural")
            )
            n = [str(s.n)] if people else []
            out.add_row(*_who(s), *n, *spans, fmt_share(m["exact"].value))
        out.add_section()
    return out


def kappa_tables(agreement: RaterAgreement) -> list[RenderableType]:
    """Returns Cohen's kappa of everybody with the engine and each person; of all people Fleiss'."""
    kappas = {(p.rater, p.other): p.kappa for p in agreement.pairs}
    kappas |= {(p.other, p.rater): p.kappa for p in agreement.pairs if p.rater in agreement.people}
    raters = list(dict.fromkeys(p.rater for p in agreement.pairs))
    out = columns(
        "Cohen's kappa of classes, on what both have classed",
        ["rater"],
        [ENGINE, *agreement.people],
    )
    for rater in raters:
        cells = (kappas.get((rater, other)) for other in (ENGINE, *agreement.people))
        out.add_row(Text(rater), *("–" if k is None else fmt_share(k.value) for k in cells))
    lines: list[RenderableType] = [out]
    if agreement.fleiss is not None and agreement.alpha is not None:
        fleiss, alpha = fmt_interval(agreement.fleiss), fmt_interval(agreement.alpha)
        lines.append(
            Text(
                f"All {len(agreement.people)} people: Krippendorff's alpha {alpha} on"
                f" {agreement.alpha_n} transitions, Fleiss' kappa {fleiss} on the"
                f" {agreement.fleiss_n} that all were sure of"
            )
        )
    elif agreement.alpha is not None:
        alpha = fmt_interval(agreement.alpha)
        lines.append(Text(f"Krippendorff's alpha of people: {alpha} on {agreement.alpha_n}"))
    if agreement.differences:
        n = len(agreement.differences)
        lines.append(Text(f"People and the engine differ on {n} transitions: see --out's page"))
    return lines


def summary_table(tables: Sequence[EvaluationTable]) -> Table:
    """Returns the table of each judge, and each person, against every reference side by side."""
    references = list(dict.fromkeys(t.against for t in tables))
    several = len({t.name for t in tables}) > 1
    out = columns(
        "Against each reference: MCC (n), and F1 as the paper counts",
        [*(["set"] if several else []), "judge", "reads"],
        [f"{what} {who}" for who in references for what in ("MCC", "F1")],
    )
    rows: dict[tuple[str, ...], dict[str, tuple[str, str]]] = {}
    for table in tables:
        for s in (*table.scores, *table.people):
            mcc, f1 = s.metrics["mcc"], s.metrics["paper_f1"]
            key = (table.name, *(str(text) for text in _who(s)))
            figures = f"{fmt_interval(mcc)} ({s.n})", fmt_share(f1.value)
            rows.setdefault(key, {})[table.against] = figures
    for key, by_reference in rows.items():
        cells = [cell for who in references for cell in by_reference.get(who, ("–", "–"))]
        out.add_row(*map(Text, key if several else key[1:]), *cells)
    return out


def judges_that_read(scores: Sequence[Score]) -> Sequence[Score]:
    """Returns the scores of judges that read what they judge; all scores, if none does."""
    return [s for s in scores if not s.judge.startswith(("always-", "random"))] or scores


def is_in_play(score: Score, subgoal: str) -> bool:
    """Returns whether a subgoal was ever achieved, or said to be; of others nothing is shown."""
    counts = score.counts[subgoal]
    return bool(counts[1].sum() + counts[:, 1].sum())


def papers_table(scores: Sequence[Score], discovered: bool) -> Table:
    """Returns the paper's four numbers for our judges, then its own rows of the same conditions."""
    condition = "discovered" if discovered else "given"
    title = f"As the paper counts, subgoals {condition}: unreadable is no"
    out = columns(title, ["annotator", "reads"], _PAPER)
    for s in scores:
        out.add_row(*_who(s), *(fmt_share(s.metrics[f"paper_{k}"].value) for k in _PAPER))
    modes = [m for m in ("screen", "crop") if any(s.mode == m for s in scores)] or ["screen"]
    for mode in modes:
        out.add_section()
        for r in paper_table(mode, condition):
            numbers = (fmt_share(getattr(r, k)) for k in _PAPER)
            out.add_row(Text(r.annotator, "dim"), f"{r.mode} (paper)", *numbers)
    return out


def subgoal_table(table: EvaluationTable) -> Table:
    """Returns precision, recall and F1 of each subgoal; of the baselines only if they are alone."""
    out = columns(
        "By subgoal (n achieved)", ["judge", "reads", "subgoal"], ["n", "P", "R", "F1", "MCC"]
    )
    for s in judges_that_read(table.scores):
        for name, m in s.subgoals.items():
            if is_in_play(s, name):
                out.add_row(
                    *_who(s),
                    Text(name),
                    str(int(s.counts[name][1].sum())),
                    *(fmt_share(m[k].value) for k in ("precision", "recall", "f1", "mcc")),
                )
        out.add_section()
    return out


def unreadable_table(table: EvaluationTable) -> Table:
    """Returns the table of unreadable answers, by the class of transition and by verdict."""
    kinds = list(table.kinds)[:5]
    out = columns("Unreadable answers", ["judge", "reads"], [*kinds, "verdicts"])
    for s in table.scores:
        verdicts = ", ".join(f"{n} {name}" for name, n in s.verdicts.items())
        shares = (fmt_share(s.unreadable_by_kind[k]) for k in kinds)
        out.add_row(*_who(s), *shares, Text(verdicts))
    return out


def cost_table(scores: Sequence[Score]) -> Table:
    """Returns the table of what a transition costs, and how far the answers can be relied on."""
    out = columns(
        "Cost per transition, and reliability",
        ["judge", "reads"],
        ["requests", "tokens", "seconds", "US$", "flips", "Brier", "ECE"],
    )
    for s in scores:
        c = s.calibration
        out.add_row(
            *_who(s),
            str(s.usage.requests),
            fmt_number(s.tokens),
            fmt_number(s.seconds),
            "unknown" if s.cost is None else fmt_number(s.cost),
            fmt_share(s.flip_rate),
            fmt_share(c.brier) if c else "–",
            fmt_share(c.error) if c else "–",
        )
    return out


def pairwise_table(table: EvaluationTable, pairs: int) -> Table:
    """Returns the table of paired tests on the same transitions."""
    out = columns(
        "Paired on the same transitions: MCC, and McNemar's p (Holm-adjusted)",
        ["better", "than"],
        ["MCC difference", "only one right", "p", "by MCC"],
    )
    best = sorted(range(len(table.scores)), key=lambda i: -table.scores[i].metrics["mcc"].value)
    rank = {i: r for r, i in enumerate(best)}
    shown = sorted(table.comparisons, key=lambda c: (rank[c.first], rank[c.second]))
    for c in shown[:pairs]:
        out.add_row(
            Text(_line(table.scores[c.first])),
            Text(_line(table.scores[c.second])),
            fmt_interval(c.difference),
            f"{c.only_first} : {c.only_second}",
            "<0.001" if c.p < 0.001 else f"{c.p:.3f}",
            "tie" if c.tie else "better",
        )
    if len(shown) > pairs:
        out.caption = f"{len(shown) - pairs} more pairs: see --json or the report"
    return out


def _match_table(table: EvaluationTable) -> Table:
    out = columns(
        "Discovered subgoals and the given one each is taken to mean (overrule with --match)",
        ["task", "discovered", "given"],
        [],
    )
    for task, m in table.matches.items():
        for discovered, meant in m.of.items():
            out.add_row(Text(task), Text(discovered), Text(meant or "– none, so not scored"))
        for never in m.to_dict()["unmatched_given"]:
            out.add_row(Text(task), Text("– none, so not scored"), Text(never))
    return out


def _who(s: Score) -> tuple[Text, Text]:
    return Text(s.judge), Text(", ".join(x for x in (s.mode, s.variant) if x))


def _line(s: Score) -> str:
    return " ".join(x for x in (s.judge, s.mode, s.variant) if x)


def columns(title: str, texts: Iterable[str], numbers: Iterable[str]) -> Table:
    """Returns an empty table: columns of text, then columns of numbers to the right."""
    out = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, padding=(0, 1))
    for name in texts:
        out.add_column(Text(name), overflow="fold")
    for name in numbers:
        out.add_column(Text(name), justify="right", no_wrap=name in _WIDE)
    return out
