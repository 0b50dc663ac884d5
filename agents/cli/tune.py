"""`calm tune`: searches the settings of training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calm.cli.options import BaseUrl, Json, StoreOption
from calm.cli.typed import typed


def tune(
    space: Annotated[
        str, typer.Argument(help="What to search: keyroom-s15, or a YAML file like it.")
    ] = "keyroom-s15",
    trials: Annotated[int, typer.Option(min=1, help="Trials in all.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds that each trial is trained on.")] = 1,
    first_seed: Annotated[
        int, typer.Option(min=0, help="Seeds count up from it; report results on others.")
    ] = 1000,
    out: Annotated[Path | None, typer.Option(help="Folder of the search. [runs/tune-NAME]")] = None,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Search the settings of training by trials, drop what does badly, and write the best.

    A trial's worth is the mean success on held-out levels over all its evaluations. Optuna draws
    the settings and ends early what half of the earlier trials were ahead of. Interrupted, the
    same command resumes. best.yaml in the folder is for `calm train --config`; trials.sqlite is
    Optuna's, for optuna-dashboard. A search space has the settings that stay under `settings` and,
    under `search`, lists to choose from or {low: ..., high: ..., log: true}.
    """
    from agents.tuning import tune as tuning
    from agents.tuning.space import read_space
    from calm.owned.client import open_store

    searched = read_space(space)
    folder = out or Path("runs") / f"tune-{searched.name}"
    console = Console(stderr=True)
    last_shown = -1

    def show(status: tuning.TuningStatus) -> None:
        nonlocal last_shown
        trial, training = status.trial, status.training
        success = "-" if trial.success is None else f"{trial.success:.1%}"
        best = "-" if status.best is None else f"{status.best:.1%}"
        words = (
            f"trial {trial.number + 1} of {status.trials}: {training.steps:,} of"
            f" {training.total:,} steps  mean success {success}  best {best}"
        )
        if console.is_terminal:
            line.update(Text(words))
        elif last_shown != trial.number:
            last_shown = trial.number
            console.print(Text(words), soft_wrap=True)

    with open_store(store) as answers, console.status("starting") as line:
        try:
            search = tuning.Search(searched, folder, seeds, first_seed, answers, base_url)
            ended = search.run(trials, show)
        except KeyboardInterrupt:
            seeded = ("--seeds", seeds, "--first-seed", first_seed)
            again = typed("tune", space, "--trials", trials, *seeded, "--out", folder)
            console.print(Text(f"resume with: {again}"), soft_wrap=True)
            raise
    best = folder / "best.yaml"
    tuning.write_best(searched, ended[0], best)
    if as_json:
        typer.echo(json.dumps({"best": str(best), "trials": [asdict(t) for t in ended]}, indent=1))
        return
    table = Table("trial", "mean success", *searched.search)
    for one in ended:
        success = f"{one.success:.1%}" + (" (ended early)" if one.pruned else "")
        values = (one.values[field] for field in searched.search)
        cells = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in values)
        table.add_row(str(one.number + 1), success, *map(Text, cells))
    Console().print(table)
    typer.echo(f"the best settings: {best}")
