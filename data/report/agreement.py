"""Agreement of people as tables for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from data.report.terminal import columns, fmt_interval
from data.scoring.disagreements import Agreement


def render_agreement(agreement: Agreement, most: int = 20) -> Group:
    """Returns people's agreement as tables, with the first disagreements."""
    pairs = columns(
        "Cohen's kappa, 95 % intervals clustered by episode",
        ["annotator", "and"],
        ["n", "alike", "kappa"],
    )
    for p in agreement.pairs:
        pairs.add_row(Text(p.first), Text(p.second), str(p.n), str(p.alike), fmt_interval(p.kappa))
    parts: list[RenderableType] = [pairs]
    if agreement.fleiss is not None:
        parts.append(
            Text(
                f"Fleiss' kappa of all {len(agreement.annotators)} people on {agreement.fleiss_n}"
                f" transitions: {fmt_interval(agreement.fleiss)}"
            )
        )
    if agreement.alpha is not None:
        parts.append(Text(f"Krippendorff's alpha of all people: {fmt_interval(agreement.alpha)}"))
    if unsure := {k: v for k, v in agreement.unsure.items() if v}:
        parts.append(Text("Unsure: " + ", ".join(f"{k} {v}" for k, v in unsure.items())))
    if agreement.elsewhere:
        parts.append(Text(f"{agreement.elsewhere} labels are of transitions not in this set"))
    if agreement.disagreements:
        out = columns("Disagreements", ["transition", "task", "classes"], [])
        for d in agreement.disagreements[:most]:
            classes = ", ".join(f"{who}: {what}" for who, what in d.classes.items())
            out.add_row(d.id[:12], Text(d.task), Text(classes))
        if len(agreement.disagreements) > most:
            out.caption = f"{len(agreement.disagreements) - most} more: see --json"
        parts.append(out)
    return Group(*parts)
