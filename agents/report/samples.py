"""A few judged transitions for a report, shown as the game showed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from agents.report.page import Sample
from calm.records import Judgement
from data.schema import Frame, LabelledTransition

# The sixteen colours of a terminal, as nle numbers them (black is drawn dark blue, as nle does).
COLOURS = [
    "#5c6ac4",
    "#cc5555",
    "#4fa64f",
    "#b08540",
    "#6c8be0",
    "#b05fb0",
    "#3fa6a6",
    "#c0c0c0",
    "#777777",
    "#ff8f4f",
    "#7fe07f",
    "#f5e663",
    "#8fb0ff",
    "#ff8fff",
    "#7fe8e8",
    "#ffffff",
]


def draw(frame: Frame, beside: Frame) -> Markup:
    """A terminal frame as HTML: escaped text in spans of the game's own colours.

    Lines that are blank both here and in the frame `beside` it are left out.
    """
    lines = []
    frames = (frame.chars, frame.colours, beside.chars)
    for chars, colours, other in zip(*(text.split("\n") for text in frames), strict=True):
        if not chars.strip() and not other.strip():
            continue
        spans, start = [], 0
        for i in range(1, len(chars) + 1):
            if i == len(chars) or colours[i] != colours[start]:
                colour = COLOURS[int(colours[start], 16)]
                spans.append(f'<span style="color:{colour}">{escape(chars[start:i])}</span>')
                start = i
        lines.append("".join(spans))
    return Markup("\n".join(lines))


def pick_samples(
    rows: Sequence[LabelledTransition],
    judged: Mapping[str, Judgement],
    names: Sequence[str],
    mode: str,
    most: int = 6,
) -> list[Sample]:
    """The first transition of each class by truth, and the first where judge and truth differ.

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
        truth = [name for name, yes in row.truth.items() if yes]
        said = [name for name in names if answer.achieved.get(name)]
        wrong = set(names) <= set(row.truth) and set(said) != set(truth) & set(names)
        kind = "judge and truth differ" if wrong else (truth[0] if truth else "nothing achieved")
        if kind in chosen:
            continue
        where = (
            f"{row.transition.episode}, step {row.transition.step}, action: {row.transition.action}"
        )
        chosen[kind] = Sample(
            f"{kind} ({where})",
            draw(row.before, row.after),
            draw(row.after, row.before),
            row.transition.texts[mode],
            said,
            truth,
        )
    # What went wrong first, then deeds, then nothing.
    order = sorted(chosen, key=lambda k: (k != "judge and truth differ", k == "nothing achieved"))
    return [chosen[kind] for kind in order[:most]]
