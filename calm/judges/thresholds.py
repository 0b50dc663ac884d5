"""From how likely to what is taken for a yes: thresholds, of all subgoals or each.

A small model's odds are lopsided: asked whether something happened it leans towards yes. Where to
cut is learned on labelled transitions, which are then no part of what is reported
(`calm evaluate --half tune --learn-thresholds FILE`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from calm.errors import UsageError
from calm.files import write_file
from calm.records import Judgement
from calm.yaml_files import read_yaml

EVERY = "*"
"""Stands for every subgoal that has no threshold of its own."""


def apply_thresholds(judgement: Judgement, thresholds: Mapping[str, float]) -> Judgement:
    """Returns a judgement with yes where the confidence is above the subgoal's threshold.

    One without confidence, or about a subgoal that no threshold is for, stays as it is.

    >>> from calm.records import Verdict
    >>> unsure = Judgement(Verdict.OK, {"take": True}, {"take": 0.7})
    >>> apply_thresholds(unsure, {"*": 0.8}).achieved
    {'take': False}
    """
    if not thresholds or not judgement.confidence:
        return judgement
    cuts = {name: thresholds.get(name, thresholds.get(EVERY)) for name in judgement.achieved}
    achieved = {
        name: yes if (cut := cuts[name]) is None else judgement.confidence[name] > cut
        for name, yes in judgement.achieved.items()
    }
    return replace(judgement, achieved=achieved)


def check_thresholds(value: object, where: str) -> dict[str, float]:
    """Returns the thresholds in a mapping from subgoals' names, or `*`, to numbers from 0 to 1.

    Raises:
        UsageError: it is something else; begins with `where`.
    """
    if not isinstance(value, Mapping) or not value:
        raise UsageError(f"{where}: needs a mapping from a subgoal's name, or *, to a threshold")
    for name, cut in value.items():
        good = isinstance(cut, int | float) and not isinstance(cut, bool) and 0 <= cut <= 1
        if not isinstance(name, str) or not good:
            raise UsageError(f"{where}: {name!r} needs a number from 0 to 1, not {cut!r}")
    return {name: float(cut) for name, cut in value.items()}


def read_thresholds(spec: str) -> dict[str, float]:
    """Returns the thresholds that a number or a JSON file says; none for "".

    Raises:
        UsageError: it is neither a number from 0 to 1 nor a file of thresholds.
    """
    if not spec:
        return {}
    try:
        number = float(spec)
    except ValueError:
        return _from_file(Path(spec))
    return check_thresholds({EVERY: number}, f"threshold {spec}")


def _from_file(path: Path) -> dict[str, float]:
    if not path.is_file():
        raise UsageError(f"thresholds {str(path)!r}: neither a number from 0 to 1 nor a JSON file")
    value = read_yaml(path, "the thresholds")
    if isinstance(value, dict) and "thresholds" in value:
        value = value["thresholds"]
    return check_thresholds(value, str(path))


def write_thresholds(path: Path, thresholds: Mapping[str, float], learned: str) -> None:
    """Writes thresholds to a JSON file with a sentence on what they were learned from."""
    content = {"learned": learned, "thresholds": dict(thresholds)}
    write_file(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
