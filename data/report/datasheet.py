"""The datasheet of a labelling round: what the labels tell, and blanks for the rest."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from calm.records import LabelledTransition
from data.report.terminal import fmt_interval
from data.schema import ENGINE, UNSURE, Label
from data.scoring.disagreements import Agreement, agreement

BLANK = "_to be filled in_"


def datasheet(labels: Sequence[Label], rows: Sequence[LabelledTransition], name: str) -> str:
    """Returns the datasheet as Markdown.

    Args:
        labels: of the round.
        rows: of the set that they are about.
        name: of the set.

    Raises:
        UsageError: none of the labels is of a transition of `rows`.
    """
    result = agreement(labels, rows)
    ids = {row.transition.id for row in rows}
    labels_of_set = [label for label in labels if label.id in ids]
    sections = [
        f"# Datasheet of a labelling round on {name}",
        "Lines in italics are for whoever ran the round. The labels hold the names that people gave"
        " and nothing else about them.",
        "## Why and by whom",
        f"- Purpose: {BLANK}",
        f"- Who ran it, and who paid for it: {BLANK}",
        "## What was labelled",
        *_labels_section(labels_of_set, rows),
        "## Who labelled",
        *_people_section(labels_of_set),
        f"- How they were found, and how many were asked: {BLANK}",
        f"- What they know of NetHack, and their language: {BLANK}",
        f"- Pay, if any, and for how long a task: {BLANK}",
        f"- What they agreed to, and how they can have their labels removed: {BLANK}",
        "## Instructions",
        "- The guide of the labelling page (`calm label`, key ?), of the page's versions above.",
        f"- What annotators were told beside the guide, and questions that came up: {BLANK}",
        f"- Whether they could talk to one another while labelling: {BLANK}",
        "## Agreement",
        *_agreement(result),
        "## Known faults",
        f"- {BLANK}",
        "",
    ]
    return "\n\n".join(_joined(sections)) + "\n"


def _labels_section(labels: Sequence[Label], rows: Sequence[LabelledTransition]) -> list[str]:
    """Returns lines on what was labelled: how many, of which set, by which page, when."""
    sets = Counter(label.set or "not recorded" for label in labels)
    pages = Counter(label.page or "not recorded" for label in labels)
    reads = Counter(label.reads or "not recorded" for label in labels)
    per_row = Counter(Counter(label.id for label in labels).values())
    overlap = ", ".join(f"{n} by {people}" for people, n in sorted(per_row.items()))
    dates = sorted(label.at for label in labels if label.at)
    return [
        f"- Labels: {len(labels)}, about {len({x.id for x in labels})} of {len(rows)} transitions"
        f" ({overlap})",
        f"- Set and version: {_counted(sets)}",
        f"- What was shown: {_counted(reads)}",
        f"- Page: {_counted(pages)}",
        f"- When: {dates[0]} to {dates[-1]}" if dates else "- When: not recorded",
        f"- How the transitions were drawn (`--sample`, `--limit`, `--seed`): {BLANK}",
    ]


def _people_section(labels: Sequence[Label]) -> list[str]:
    """Returns a table with a row a person."""
    lines = ["| name | labels | unsure | median seconds a label |", "|---|---|---|---|"]
    for name in sorted({label.annotator for label in labels}):
        theirs = [label for label in labels if label.annotator == name]
        unsure = sum(label.kind() == UNSURE for label in theirs)
        seconds = statistics.median(label.seconds for label in theirs)
        cell = name.replace("|", "\\|")
        lines.append(f"| {cell} | {len(theirs)} | {unsure} | {seconds:.1f} |")
    return ["\n".join(lines)]


def _agreement(result: Agreement) -> list[str]:
    """Returns lines on how far people agree with one another and with the engine."""
    lines = [
        f"- {p.first} and {p.second}: kappa {fmt_interval(p.kappa)}, {p.alike} of {p.n} alike"
        for p in result.pairs
    ]
    if result.fleiss is not None:
        lines.append(f"- Fleiss' kappa of all: {fmt_interval(result.fleiss)} on {result.fleiss_n}")
    if result.alpha is not None:
        lines.append(f"- Krippendorff's alpha of all: {fmt_interval(result.alpha)}")
    differing = sum(ENGINE in d.classes for d in result.disagreements)
    return [*lines, f"- Transitions that not all of people and engine classed alike: {differing}"]


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in counts.most_common())


def _joined(sections: Sequence[str]) -> list[str]:
    """Returns neighbouring list items in one paragraph."""
    out: list[str] = []
    for text in sections:
        if text.startswith("- ") and out and out[-1].startswith("- "):
            out[-1] += f"\n{text}"
        else:
            out.append(text)
    return out
