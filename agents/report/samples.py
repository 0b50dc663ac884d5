"""Picks a few judged transitions for a report, with the game's own screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.report.page import Sample
from calm.records import Judgement, LabelledTransition
from data.screen.view import screen_html


def pick_samples(
    rows: Sequence[LabelledTransition],
    judged: Mapping[str, Judgement],
    names: Sequence[str],
    mode: str,
    most: int = 6,
) -> list[Sample]:
    """Picks the first transition of each class by truth, and the first that is misjudged.

    Args:
        rows: transitions with frames; those without are passed over.
        judged: the judge's answer by transition id.
        names: of the subgoals that were asked about.
        mode: the description that the judge read.
        most: samples at most.
    """
    chosen: dict[str, Sample] = {}
    for row in rows:
        answer = judged.get(row.transition.id)
        if answer is None or row.before is None or row.after is None:
            continue
        truth = [name for name, achieved in row.truth.items() if achieved]
        yes = [name for name in names if answer.achieved.get(name)]
        wrong = set(names) <= set(row.truth) and set(yes) != set(truth) & set(names)
        kind = "judge and truth differ" if wrong else (truth[0] if truth else "nothing achieved")
        if kind in chosen:
            continue
        where = (
            f"{row.transition.episode}, step {row.transition.step}, action: {row.transition.action}"
        )
        chosen[kind] = Sample(
            f"{kind} ({where})",
            screen_html(row),
            row.transition.texts[mode],
            yes,
            truth,
        )
    # What went wrong first, then deeds, then nothing.
    order = sorted(chosen, key=lambda k: (k != "judge and truth differ", k == "nothing achieved"))
    return [chosen[kind] for kind in order[:most]]
