"""Reads the specs of noisy judges: `noisy:precision=P,recall=R[,seed=S][,by=event|step]`.

`noisy:paper=MODEL/MODE/SUBGOALS` takes precision and recall from a row of the paper's table
(`data.evaluation.paper`), e.g. `noisy:paper=Mistral-7B-Instruct-v0.2/screen/given`. The paper
measured them on a set of which two thirds achieve something. Here the judge is to have them at the
task's own rate of events, which is kind to it: on play in which few steps achieve anything, the
same share of false yeses gives a much lower precision than on the paper's set.

The judge itself is `envs.credit.noisy`; its specs are read here, in the lowest layer that knows
both the judge and the paper's table.
"""

from __future__ import annotations

from calm.errors import UsageError, unknown
from data.evaluation.paper import PaperRow, paper_table
from envs.credit.noisy import NoisyTruth

FORM = (
    "noisy:precision=P,recall=R or noisy:paper=MODEL/MODE/SUBGOALS, and with it seed=S and"
    " by=event or by=step"
)


def parse_noisy(spec: str, seed: int = 0) -> NoisyTruth:
    """Returns the truth with the errors that a spec names.

    Args:
        spec: with or without `noisy:` in front.
        seed: of the errors, where the spec names none.

    Raises:
        UsageError: an option that is unknown, missing, twice there or out of range; no such row.
    """
    options: dict[str, str] = {}
    for part in spec.removeprefix("noisy").removeprefix(":").split(","):
        name, sign, value = (s.strip() for s in part.partition("="))
        if not sign or not value or name in options:
            raise UsageError(f"a noisy judge is {FORM}; got {spec!r}")
        if name not in ("precision", "recall", "paper", "seed", "by"):
            raise unknown(
                "option of a noisy judge", name, ("precision", "recall", "paper", "seed", "by")
            )
        options[name] = value
    if "paper" in options:
        if "precision" in options or "recall" in options:
            raise UsageError("a row of the paper has its own precision and recall; leave them out")
        row = _row(options["paper"])
        precision, recall = row.precision, row.recall
    elif {"precision", "recall"} <= options.keys():
        precision, recall = _number(options, "precision"), _number(options, "recall")
    else:
        raise UsageError(f"a noisy judge is {FORM}; got {spec!r}")
    whole = options.get("seed", str(seed))
    if not whole.isdecimal():
        raise UsageError(f"the seed of a noisy judge is a whole number from 0, got {whole!r}")
    return NoisyTruth(precision, recall, int(whole), options.get("by", "event"))  # type: ignore[arg-type]


def _name(row: PaperRow) -> str:
    """Returns the name of a row of the paper's table: MODEL/MODE/SUBGOALS."""
    return f"{row.annotator.removesuffix('*')}/{row.mode}/{row.subgoals}"


def _row(name: str) -> PaperRow:
    """Returns the row of the paper's table of that name.

    Raises:
        UsageError: there is none, or its judge never said yes.
    """
    rows = {_name(row): row for row in paper_table()}
    row = rows.get(name.replace("*", ""))
    if row is None:
        raise unknown("row of the paper", name, rows)
    if row.recall == 0:
        raise UsageError(
            f"{name} never said yes in the paper; the judge that never does is always-no"
        )
    return row


def _number(options: dict[str, str], name: str) -> float:
    """Returns the number that an option holds; raises a UsageError where it holds none."""
    try:
        return float(options[name])
    except ValueError:
        raise UsageError(
            f"the {name} of a noisy judge is a number, got {options[name]!r}"
        ) from None
