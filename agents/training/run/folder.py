"""Reads and writes the folder of a training run: settings, versions, metrics, checkpoint, report.

config.yaml         every setting, the defaults included
provenance.json     versions, git commit, processor, start
metrics.parquet     one row an evaluation
checkpoint.pt       weights, optimiser, counters and random state: tensors and plain values only
policy.safetensors  of an agent that was pulled, in place of the checkpoint: the policy's weights
judged.json         the judge's answers by text
words.json          some of them in a model's own words
subgoals.json       the subgoals, where the settings only name them
episodes.parquet    recorded episodes, and replay.html that plays them
tensorboard/
status.json         how far it is, while it is trained
report.html
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from agents.training.run import lock, policy_file
from agents.training.settings.config import TrainConfig, make_config
from agents.training.settings.files import load_config
from calm.bench.harness import processor
from calm.errors import UsageError
from calm.files import check_writable, write_file
from calm.records import Judgement, Subgoal, Verdict
from data.parquet_file import read_whole

if TYPE_CHECKING:
    import torch

Row = dict[str, Any]
"""The metrics of one evaluation, by name."""


def commit() -> str:
    """Returns the commit of the code, with `-dirty` where it was changed since; or "unknown".

    A copy of a checkout that was sent to another machine is told it by $CALM_COMMIT.
    """
    if sent := os.environ.get("CALM_COMMIT"):
        return sent
    root = Path(__file__).parents[3]
    git = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        described = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        described = ""
    return described or "unknown"


def provenance() -> dict[str, str]:
    """Returns what a result depends on beside its settings: versions, commit, machine, start."""
    packages = ("torch", "stable-baselines3", "nle", "minihack", "gymnasium", "numpy", "openai")
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.system()}",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    } | {name: version(name) for name in packages}


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns whatever fails inside the block into a UsageError that names the file."""
    try:
        yield
    except Exception as error:  # a damaged file fails in many ways
        raise UsageError(f"{path} can't be read: {error}") from None


class Run:
    """The folder of one training run, which this object reads and writes.

    Every write replaces a whole file, so a kill leaves no half.

    Args:
        folder: of the run; nothing is read or written yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint_path = folder / "checkpoint.pt"
        self.policy_path = folder / policy_file.FILE
        self.metrics_path = folder / "metrics.parquet"
        self.tensorboard = folder / "tensorboard"

    @classmethod
    def create(cls, folder: Path, config: TrainConfig) -> Run:
        """Starts a run in an empty or new folder.

        Raises:
            UsageError: the folder already holds a run.
        """
        cls.refuse_taken(folder)
        folder.mkdir(parents=True, exist_ok=True)
        run = cls(folder)
        run.note_started()
        config.save(folder / "config.yaml")
        return run

    @classmethod
    def refuse_taken(cls, folder: Path) -> None:
        """Raises a UsageError where the folder already holds a run."""
        if (folder / "config.yaml").exists():
            begun = cls(folder).checkpoint_path.exists()
            raise UsageError(
                f"{folder} already holds a run; resume it with `calm train --resume {folder}`, or"
                " name another folder with --out"
                + (
                    ""
                    if begun or (folder / lock.FILE).exists()
                    else ", or remove it: nothing has been trained in it yet"
                )
            )

    def take_back(self) -> None:
        """Removes the settings if nothing has been trained, so that the folder is free again.

        For a run whose settings turn out not to fit each other when it is to begin. What else lies
        in the folder stays, and so does the whole run where another process owns it.
        """
        with contextlib.suppress(UsageError, OSError), lock.owned(self.folder):
            if self.checkpoint_path.exists() or self.metrics_path.exists():
                return
            for name in ("config.yaml", "provenance.json", "subgoals.json"):
                (self.folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it is not empty, or not a folder of its own
            self.folder.rmdir()

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Returns the run in an existing folder.

        Raises:
            UsageError: the folder holds no run.
        """
        if not (folder / "config.yaml").is_file():
            raise UsageError(f"{folder} holds no run (no config.yaml in it)")
        return cls(folder)

    def check_writable(self, *names: str) -> None:
        """Tries to write files of these names in the folder; raises a UsageError where it can't."""
        cure = "make the run's folder writable, or copy it to another place"
        for name in names:
            check_writable(self.folder / name, cure=cure)

    @property
    def config(self) -> TrainConfig:
        """The settings the run was started with."""
        return load_config(self.folder / "config.yaml")

    @property
    def started_with(self) -> dict[str, str]:
        """Versions, commit and machine of the start."""
        with readable(path := self.folder / "provenance.json"):
            values = json.loads(path.read_text("utf-8"))
            return {str(k): str(v) for k, v in values.items()}

    def note_started(self, threads: int | None = None) -> None:
        """Records versions, commit, machine and time of the start; again after waiting its turn.

        Args:
            threads: that compute an update, on which its time depends; None where not yet known.
        """
        values = provenance() | ({} if threads is None else {"threads": str(threads)})
        write_file(self.folder / "provenance.json", json.dumps(values, indent=2))

    @property
    def resumed_at(self) -> list[int]:
        """Steps at which the run was resumed after an interruption."""
        path = self.folder / "resumed.json"
        if not path.exists():
            return []
        with readable(path):
            return [int(step) for step in json.loads(path.read_text("utf-8"))]

    def note_resumed(self, step: int) -> None:
        """Records that the run was resumed at `step`."""
        write_file(self.folder / "resumed.json", json.dumps([*self.resumed_at, step]))

    def metrics(self) -> list[Row]:
        """Returns the rows written so far, one an evaluation, oldest first."""
        if not self.metrics_path.exists():
            return []
        with readable(self.metrics_path):
            rows: list[Row] = read_whole(self.metrics_path).to_pylist()
        return rows

    def write_metrics(self, rows: list[Row]) -> None:
        """Replaces the metrics by `rows`."""
        table = pa.Table.from_pylist(rows)
        write_file(self.metrics_path, lambda partial: pq.write_table(table, partial))

    def judged(self) -> dict[str, list[str] | None]:
        """Returns by judged text the subgoals that it achieved, None where unreadable."""
        path = self.folder / "judged.json"
        if not path.exists():
            return {}
        with readable(path):
            answers = json.loads(path.read_text("utf-8"))
            return {text: None if yes is None else [*yes] for text, yes in answers.items()}

    def write_judged(self, judged: Mapping[str, list[str] | None]) -> None:
        """Adds judged texts to those already written."""
        write_file(self.folder / "judged.json", json.dumps(self.judged() | dict(judged), indent=1))

    def words(self) -> dict[str, Judgement]:
        """Returns by text some answers of the judge, where it is a model, in its own words."""
        path = self.folder / "words.json"
        if not path.exists():
            return {}
        with readable(path):
            answers = json.loads(path.read_text("utf-8"))
            return {
                text: Judgement(
                    Verdict(one["verdict"]),
                    one["achieved"],
                    one["confidence"],
                    one["raw"],
                    one["reason"],
                )
                for text, one in answers.items()
            }

    def write_words(self, examples: Mapping[str, Judgement]) -> None:
        """Replaces the answers that are kept in a model's own words."""
        fields = ("verdict", "achieved", "confidence", "raw", "reason")
        plain = {
            text: {name: getattr(one, name) for name in fields} for text, one in examples.items()
        }
        write_file(self.folder / "words.json", json.dumps(plain, indent=1))

    def subgoals(self) -> tuple[Subgoal, ...] | None:
        """Returns the subgoals stored with the run; None where it has none, or is an older one with
        the given ones."""
        path = self.folder / "subgoals.json"
        if not path.exists():
            return None
        with readable(path):
            subgoals = json.loads(path.read_text("utf-8"))
            return tuple(
                Subgoal(
                    str(s["name"]),
                    str(s["definition"]),
                    tuple(map(str, s.get("statements", ()))),
                    int(s.get("times", 1)),
                )
                for s in subgoals
            )

    def keep_subgoals(self, subgoals: Sequence[Subgoal]) -> None:
        """Stores subgoals, which the settings only name."""
        write_file(
            self.folder / "subgoals.json", json.dumps([asdict(s) for s in subgoals], indent=1)
        )

    def lengthen(self, steps: int) -> None:
        """Changes the number of steps that the run is trained for; those so far count.

        What changes by a schedule (`learning_rate_end` and the like) keeps its own last step, and
        stays from there as it is.

        Raises:
            UsageError: more steps are done already.
        """
        config = self.config
        if steps == config.steps:
            return
        begun = self.checkpoint_path.exists()
        if begun and steps < (step := self.load_checkpoint()["steps"]):
            raise UsageError(
                f"{self.folder} has been trained for {step:,} steps, more than {steps:,}"
            )
        changed: dict[str, Any] = {"steps": steps}
        if config.has_schedule and begun:
            scheduled = config.schedule_steps or config.steps
            changed["schedule_steps"] = None if scheduled == steps else scheduled
        make_config(config.model_dump() | changed).save(self.folder / "config.yaml")

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Replaces the checkpoint by a state of tensors and plain values."""
        import torch  # takes a second, which who reads metrics should not wait for

        content = io.BytesIO()  # torch hides what is wrong with a file that it writes itself
        torch.save(dict(state), content)
        write_file(self.checkpoint_path, content.getvalue())

    def load_checkpoint(self) -> dict[str, Any]:
        """Returns the state in the last checkpoint.

        Raises:
            UsageError: there is none, or it can't be read.
        """
        import torch

        path = self.checkpoint_path
        try:
            # weights_only refuses anything that is not a tensor or a plain value: no code runs.
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
            state["steps"]
        except FileNotFoundError:
            if self.policy_path.exists():
                raise UsageError(
                    f"{self.folder} holds an agent that was trained elsewhere: its policy can play,"
                    " and without its optimiser it can't be trained on"
                ) from None
            raise UsageError(
                f"{self.folder} has no checkpoint.pt to resume from; start a run with `calm train`"
            ) from None
        except OSError as error:
            raise UsageError(f"{path} can't be read: {error.strerror}") from None
        except Exception:  # torch raises many kinds for a damaged file, with advice we don't share
            raise UsageError(
                f"{path} can't be read: it is damaged, or no checkpoint of a run. Put a copy of it"
                f" in its place, or remove it: `calm train --resume {self.folder}` then trains the"
                " run from its first step"
            ) from None
        return state

    def load_policy(self) -> tuple[dict[str, torch.Tensor], int]:
        """Returns the policy's weights by name, and the steps for which it was trained.

        Raises:
            UsageError: there is neither a checkpoint nor a policy, or it can't be read.
        """
        if not self.checkpoint_path.exists() and self.policy_path.exists():
            return policy_file.read_policy(self.policy_path)
        state = self.load_checkpoint()
        return state["policy"], state["steps"]
