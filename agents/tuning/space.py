"""Reads what to search: the settings that stay, and those that are chosen anew for each trial.

settings: {task: KeyRoom-S15, judge: rules, steps: 1_000_000, crop: 15}
search:
  learning_rate: {low: 1e-4, high: 1e-3, log: true}
  n_epochs: [2, 3, 4]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from agents.training.settings.config import TrainConfig, make_config
from calm.errors import UsageError, unknown
from calm.yaml_files import read_yaml

FOLDER = Path(__file__).parent / "spaces"
"""Of the spaces that have a name."""
NOT_SEARCHED = ("task", "own_task", "seed", "steps", "eval_every", "eval_episodes", "wandb")
"""Settings that say what a trial is, and not how well it learns."""


@dataclass(frozen=True)
class Interval:
    """Numbers from which one is drawn."""

    low: float
    high: float
    log: bool = False
    """Whether its logarithm is drawn evenly."""
    whole: bool = False
    """Whether it is an integer."""


Choices = tuple[Any, ...]
"""Values of which one is drawn: numbers, texts, booleans or null."""


@dataclass(frozen=True)
class SearchSpace:
    """What the trials of a search have in common, and in what they differ."""

    name: str
    settings: Mapping[str, Any]
    """Fields of `TrainConfig`."""
    search: Mapping[str, Interval | Choices]
    """By field of `TrainConfig`."""

    def config(self, values: Mapping[str, Any], seed: int) -> TrainConfig:
        """Returns the settings of one run of a trial.

        Args:
            values: of the fields that are searched.

        Raises:
            UsageError: the trainer refuses them.
        """
        every = {**self.settings, **values, "seed": seed}
        return make_config(every, f"a trial of {self.name} ({dict(values)})")


def read_space(name: str | Path) -> SearchSpace:
    """Returns the space of that name in `spaces/`, or the one in a YAML file.

    Raises:
        UsageError: there is none, or it can't be searched.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.exists():
        path = Path(name)
        if path.suffix not in (".yaml", ".yml", ".json"):
            known = sorted(p.stem for p in FOLDER.glob("*.yaml"))
            raise UsageError(f"{unknown('search space', str(name), known)}; or name a YAML file")
    written = read_yaml(path, "the search space")
    if not isinstance(written, dict) or set(written) != {"settings", "search"}:
        raise UsageError(f"{path} must hold `settings` and `search`, and nothing else")
    settings, search = written["settings"], written["search"]
    if not isinstance(settings, dict) or not isinstance(search, dict) or not search:
        raise UsageError(f"{path}: `settings` and `search` are fields and values, at least one")
    dimensions = {str(field): _dimension(path, str(field), search[field]) for field in search}
    if both := sorted(set(settings) & set(dimensions)):
        raise UsageError(f"{path}: {both[0]} is searched, so it can't be a setting that stays")
    space = SearchSpace(path.stem, settings, dimensions)
    for ends in (0, -1):  # what is wrong with a bound is better said before the first trial
        space.config({f: _ends(d)[ends] for f, d in dimensions.items()}, seed=0)
    return space


def _dimension(path: Path, field: str, written: Any) -> Interval | Choices:
    """Returns what one field is drawn from.

    Raises:
        UsageError: it is no setting, or neither an interval nor a list.
    """
    where = f"{path}: {field}"
    if field not in TrainConfig.model_fields:
        raise UsageError(f"{path}: {unknown('setting', field, TrainConfig.model_fields)}")
    if field in NOT_SEARCHED:
        raise UsageError(f"{where} says what a trial is and is not searched; put it in `settings`")
    if isinstance(written, list):
        if len(written) < 2 or any(isinstance(value, dict | list) for value in written):
            raise UsageError(f"{where} needs at least two plain values to choose from")
        return tuple(written)
    try:
        known = dict(written)
        low, high = known.pop("low"), known.pop("high")
        interval = Interval(
            float(low), float(high), bool(known.pop("log", False)), type(low) is type(high) is int
        )
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{where} is a list of values or {{low: …, high: …, log: true}}, got {written!r}"
        ) from None
    if known:
        raise UsageError(f"{where}: {unknown('key', next(iter(known)), ('low', 'high', 'log'))}")
    least = 0.0 if interval.log else float("-inf")
    if not (isfinite(interval.low) and isfinite(interval.high) and interval.low < interval.high):
        raise UsageError(f"{where}: low must be less than high, both finite, got {written!r}")
    if interval.log and interval.low <= least:
        raise UsageError(f"{where}: of an interval with log, low must be above 0, got {low!r}")
    return interval


def _ends(dimension: Interval | Choices) -> tuple[Any, Any]:
    """Returns the first and the last value of a dimension."""
    if isinstance(dimension, Interval):
        low, high = dimension.low, dimension.high
        return (int(low), int(high)) if dimension.whole else (low, high)
    return dimension[0], dimension[-1]
