"""`calm train`: PPO on reward plus judged credit, a bonus, or both."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from agents.cli.run_options import RunOptions
from calm.cli.option_record import with_record
from calm.cli.options import BaseUrl, Json, StoreOption
from calm.cli.typed import typed
from calm.errors import UsageError

if TYPE_CHECKING:
    from agents.training.run.folder import Run
    from agents.training.settings.config import TrainConfig


@with_record("options", RunOptions)
def train(
    *,
    options: RunOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder that holds the runs' folders. [runs]")
    ] = None,
    resume: Annotated[
        list[Path] | None,
        typer.Option(
            help="Resume the run in this folder; repeat for several. Takes no other setting but"
            " --steps, which lengthens it."
        ),
    ] = None,
    list_settings: Annotated[
        bool, typer.Option("--settings", help="List all settings with what they mean, and end.")
    ] = False,
    family: Annotated[
        bool,
        typer.Option(
            help="Begin with the settings that serve the task's family, see"
            " agents/training/settings; a config and options win over them."
        ),
    ] = True,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Train PPO on reward plus judged credit, a bonus, or both.

    Success is measured on levels that training never sees. Ctrl-C saves a checkpoint; resume with
    --resume FOLDER. A model that does not answer is waited for (--set patience=SECONDS), then
    training stops in the same way. The run's folder holds every setting (config.yaml), metrics and
    a report.
    """
    if list_settings:
        _show_settings(as_json)
        return
    from agents.report.page import report_runs
    from agents.training.parallel import LocalProcesses
    from agents.training.progress import train_with_progress

    settings = options.settings()
    if resume:
        others = {"config": options.config, "seeds": options.seeds, "out": out}
        refused = [*settings, *(name for name, value in others.items() if value is not None)]
        runs = _open_runs(resume, settings.pop("steps", None), [s for s in refused if s != "steps"])
    else:
        base = _base_config(settings, options.config, family)
        runs = _create_runs(base, options.seeds or 1, out or Path("runs"), store, base_url)
    console = Console(stderr=True)
    try:
        train_with_progress(runs, LocalProcesses(store, base_url), console=console)
    except KeyboardInterrupt:
        again = [word for run in runs for word in ("--resume", run.folder)]
        console.print(Text(f"resume with: {typed('train', *again)}"), soft_wrap=True)
        raise
    except UsageError:  # what does not fit each other leaves no run that would be in the way
        for run in [] if resume else runs:
            run.take_back()
        raise
    rows = []
    for run in runs:
        path = report_runs([run], run.folder / "report.html")
        rows.append({"run": str(run.folder), "report": str(path)} | run.metrics()[-1])
    _show_ends(rows, as_json)


def _show_ends(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Prints the last evaluation of each run."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(
            f"{row['run']}: success {row['success']:.0%} on {row['episodes']} held-out levels"
            f" [{row['success_low']:.0%}, {row['success_high']:.0%}] after {row['steps']:,} steps;"
            f" report in {row['report']}"
        )


def _open_runs(folders: Sequence[Path], steps: int | None, refused: Sequence[str]) -> list[Run]:
    """Opens the runs to resume, and lengthens them if a last step is named.

    Raises:
        UsageError: other settings were named beside them, or one is being trained.
    """
    from agents.training.run.folder import Run
    from agents.training.run.lock import owned

    if refused:
        raise UsageError(
            "--resume trains a run as it was and takes no other setting but --steps, got "
            + ", ".join(refused)
        )
    runs = [Run.open(folder) for folder in folders]
    for run in runs:
        with owned(run.folder):  # better raised now than by the process that trains it
            if steps is not None:
                run.lengthen(steps)
    return runs


def _show_settings(as_json: bool) -> None:
    """Prints all settings with their defaults and meanings."""
    from agents.training.settings.config import settings

    listed = settings()
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in listed], indent=2))
        return
    for one in listed:
        typer.echo(f"{one.name}={json.dumps(one.default)}")
        typer.echo(textwrap.indent(textwrap.fill(one.meaning, 76), "    "))


def _base_config(settings: dict[str, Any], config: Path | None, family: bool) -> TrainConfig:
    """Returns the settings of the first seed: the family's, the config's, those that were named."""
    from agents.training.settings.config import make_config
    from agents.training.settings.families import family_of
    from agents.training.settings.files import read_config
    from agents.training.settings.idle import refuse_idle

    if config is None and "task" not in settings:
        raise UsageError("name a task, such as `calm train KeyRoom-S5`, or a --config")
    values = (read_config(config) if config else {}) | settings
    source = str(config or "the options")
    base = make_config(values, source)
    if family:
        one = family_of(base.task)
        with_family = (
            f"{source} beside the settings of agents/training/settings/{one.name}.yaml"
            " (--no-family leaves those out)"
        )
        base = make_config(one.settings | values, with_family)
    refuse_idle(settings, [base])
    return base


def _create_runs(
    base: TrainConfig, seeds: int, out: Path, store: Path, base_url: str | None
) -> list[Run]:
    """Makes a run folder for each seed; all of them or, where one can't be begun, none."""
    from agents.bonus.make import make_bonus
    from agents.training.environment import credit_source_of, subgoals_of
    from agents.training.run.folder import Run
    from agents.training.settings.config import make_config
    from calm.owned.client import open_store

    make_bonus(base.bonus, base.n_steps, base.seed)  # what can't be paid is no run
    configs = [make_config(base.model_dump() | {"seed": base.seed + i}) for i in range(seeds)]
    folders = [out / one.name for one in configs]
    for folder in folders:
        Run.refuse_taken(folder)
    with open_store(store) as opened:  # what can't be judged is no run
        credit_source_of(base, subgoals_of(base, opened, base_url), opened, base_url)
    return [Run.create(*pair) for pair in zip(folders, configs, strict=True)]
