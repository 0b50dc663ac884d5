"""A run as the page shows it: how far it is, what it earns, what its judge was asked.

Files are read when they have changed, and nothing in the folder is written or locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.report.reward import reward_in_words
from agents.training.run.folder import Row, Run
from agents.training.run.lock import is_owned
from agents.training.run.status import TrainingStatus, read_status
from agents.training.settings.config import TrainConfig
from calm.cli.typed import typed
from calm.errors import CalmError, UsageError
from calm.records import Judgement
from calm.text import clean

JUDGED = 10
"""Judged texts among the last ones."""
LONGEST = 2_000
"""Characters of a text that are shown."""
_COUNTS = (
    "asked",
    "judged",
    "unreadable",
    "pending",
    "by_student",
    "requests",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "steps_unreadable",
    "steps_pending",
)
"""Of the judge's work, in the metrics of a run that has a judge."""


class RunView:
    """Reads one run's folder, again and again.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.run = Run(folder)
        self.config: TrainConfig | None = None
        """Its settings; None as long as they can't be read."""
        self.rows: Sequence[Row] = []
        """Its metrics, one row an evaluation."""
        self.stamp = 0
        """When the metrics were last written, in ns."""

    @property
    def title(self) -> str:
        """The run's name as a person would say it: its folder's, or for a study's its cell's."""
        parts = self.run.folder.resolve().parts
        return "/".join(parts[parts.index("cells") + 1 :]) if "cells" in parts else parts[-1]

    def look(self) -> dict[str, Any]:
        """Returns plain values for JSON; where the folder can't be read, `problem` says why."""
        shared = {"title": self.title, "folder": str(self.run.folder)}
        try:
            return shared | self._figures()
        except (CalmError, OSError) as error:
            problem = clean(str(error))
        except Exception as error:  # files that can be read and hold something else
            self.rows, self.stamp = [], 0
            problem = f"its files hold something else than a run's: {clean(repr(error))}"
        return shared | {"problem": problem, "state": "unreadable"}

    def _figures(self) -> dict[str, Any]:
        if self.config is None:
            self.config = self.run.config
        if (stamp := _stamp(self.run.metrics_path)) != self.stamp:
            self.rows = self.run.metrics()
            if any(not isinstance(row["steps"], int) for row in self.rows):
                raise TypeError("a row of the metrics that tells no steps")
            self.stamp = stamp
        status = read_status(self.run.folder)
        last = self.rows[-1] if self.rows else {}
        return {
            "problem": "",
            "task": self.config.task,
            "seed": self.config.seed,
            "judge": self.config.judge,
            "bonus": self.config.bonus,
            "reward": reward_in_words(self.config),
            "state": self._state(last),
            "total": self.config.total_steps,
            "steps": last.get("steps", 0),
            "success": [last.get(k) for k in ("success", "success_low", "success_high")],
            "episodes": last.get("episodes"),
            "earned": [last.get(f"return_{part}") for part in ("env", "credit", "bonus", "shaped")],
            "rate": last["steps"] / max(last["seconds"], 1e-9) if last else None,
            "counts": {name: last.get(name) for name in _COUNTS}
            if last.get("asked") is not None
            else None,
            "subgoals": _subgoals(last),
        } | _now(status, last)

    def _state(self, last: Row) -> str:
        """Returns whether it is trained just now, and if not, whether that is done."""
        assert self.config is not None
        if last and last["steps"] >= self.config.steps and not is_owned(self.run.folder):
            return "done"
        if is_owned(self.run.folder):
            return "running"
        return "stopped" if self.run.checkpoint_path.exists() or last else "not begun"

    def _commands(self, last: Row) -> dict[str, str]:
        """Returns what to type to see more of the run, or to resume it."""
        folder = self.run.folder
        commands = {}
        if self._state(last) == "stopped":
            commands["resume"] = typed("train", "--resume", folder)
        if self.run.checkpoint_path.exists():
            commands["replay"] = typed("replay", folder)
            commands["explain"] = typed("explain", folder)
        if self.rows:
            commands["report"] = typed("report", folder)
        return commands

    def details(self) -> dict[str, Any]:
        """Returns plain values for JSON: judged texts, the last ones with the model's words where
        they are kept, and what to type to see more."""
        last = self.rows[-1] if self.rows else {}
        try:
            judged, words = self.run.judged(), self.run.words()
        except UsageError as error:
            return {"problem": clean(str(error)), "judged": [], "commands": {}}
        return {
            "problem": "",
            "texts": len(judged),
            "texts_unreadable": sum(yes is None for yes in judged.values()),
            "judged": [
                {"text": _shown(text), "achieved": yes, "raw": _words(words.get(text))}
                for text, yes in list(judged.items())[: -JUDGED - 1 : -1]
            ],
            "commands": self._commands(last) if self.config else {},
        }


def _now(status: TrainingStatus | None, last: Row) -> dict[str, Any]:
    """Returns what is newer than the last evaluation; {} of a run that is not trained."""
    if status is None:
        return {}
    return {
        "steps": max(status.steps, last.get("steps", 0)),
        "total": status.total,
        "rate": status.steps_per_second if status.steps else None,
        "questions": status.questions,
        "pending": status.pending,
        "by_student": status.by_student,
        "waiting": [status.waiting, status.answered, status.to_answer] if status.waiting else None,
    }


def _subgoals(last: Row) -> list[dict[str, Any]]:
    """Returns the rates of each subgoal at the last evaluation, by the engine and by the judge."""
    by_name: dict[str, dict[str, Any]] = {}
    for one in last.get("subgoals") or ():
        of = by_name.setdefault(one["subgoal"], {"name": one["subgoal"]})
        of[one["source"]] = one["share"]
        of[f"{one['source']}_repeats"] = one["repeats"]
        if one.get("false") is not None:
            of["false"] = one["false"]
    return list(by_name.values())


def _words(answer: Judgement | None) -> str:
    return _shown(answer.raw) if answer is not None else ""


def _shown(text: str) -> str:
    text = clean(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
