"""`calm study`: trains and compares all arms of a study."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from agents.cli.where_options import WhereOptions
from calm.cli.option_record import with_record
from calm.cli.options import BaseUrl
from calm.cli.typed import typed
from calm.errors import UsageError

if TYPE_CHECKING:
    from agents.study.order import Order


@dataclass(frozen=True, slots=True)
class CellOptions:
    """Which cells of a study are meant, and with what settings; each field is an option."""

    task: Annotated[
        list[str] | None, typer.Option("--tasks", help="A task of it; repeat for several. [all]")
    ] = None
    arm: Annotated[
        list[str] | None, typer.Option("--arms", help="An arm of it; repeat for several. [all]")
    ] = None
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each cell.")] = 5
    first_seed: Annotated[int, typer.Option(min=0, help="Seeds count up from it.")] = 0
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of every cell. [as the plan has them]")
    ] = None
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A setting of all cells, as in train."),
    ] = None

    def order(self, train: bool, replace: bool, retries: int, shared: bool) -> Order:
        """Returns these cells as the part of a study to run; see `agents.study.order.Order`.

        Raises:
            UsageError: a pair of `--set` that can't be read, or sets what tells cells apart.
        """
        from agents.study.order import Order
        from agents.training.settings.files import read_settings

        settings = read_settings(self.setting or [])
        if own := settings.keys() & {"task", "seed"}:
            raise UsageError(
                f"--set {own.pop()}: cells of a study have tasks and seeds of their own; choose"
                " tasks by --tasks, seeds by --seeds and --first-seed"
            )
        return Order(
            seeds=self.seeds,
            first_seed=self.first_seed,
            tasks=_listed(self.task),
            arms=_listed(self.arm),
            overrides=settings | ({"steps": self.steps} if self.steps else {}),
            retries=retries,
            shared=shared,
            train=train,
            replace=replace,
        )


@with_record("cells", CellOptions)
@with_record("where", WhereOptions)
def study(
    *,
    name: Annotated[
        str | None,
        typer.Argument(
            help="Which study: keyroom, keyroom-tune, keyroom-turned, message, memory, rivals,"
            " rivals-tune, sixteen, encoders, semantics or forms."
        ),
    ] = None,
    cells: CellOptions,
    plan: Annotated[
        Path | None,
        typer.Option(help="A plan of one's own instead, as agents/study/plans/keyroom.yaml."),
    ] = None,
    where: WhereOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder of runs and report. [runs/study-NAME]")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Folder of finished cells: those in it count as done, new ones are added, such as"
            " agents/results/keyroom. [OUT/results]"
        ),
    ] = None,
    train: Annotated[
        bool, typer.Option(help="Or only write the report of what is finished.")
    ] = True,
    replace: Annotated[
        bool, typer.Option(help="Leave out finished cells whose settings are not the plan's.")
    ] = False,
    base_url: BaseUrl = None,
) -> None:
    """Train every arm of a study on every task, and say what it shows.

    Works seed by seed, so that what there is when you stop it has all arms. Interrupted or killed,
    the same command resumes; on another machine it starts from the finished cells
    that --results names. Writes report.html, and with the results tables, figures and a README.
    On more machines than this one: --ray, --slurm or --worker. Results are those of one machine.
    """
    from agents.study.plans.load import FOLDER, load_plan
    from agents.study.run import run_study

    study_name = plan.stem if plan else name
    if study_name is None:
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml")))
        raise UsageError(
            f"name a study, or give a plan of your own with --plan; the studies are {known}; a"
            " short part of one: calm study keyroom --tasks KeyRoom-S5 --arms rules --seeds 1"
        )
    out = out or Path("runs") / f"study-{study_name}"
    console = Console(stderr=True)
    written = out / "report.html"
    before = written.stat().st_mtime_ns if written.exists() else 0
    command = shlex.join(["calm", *sys.argv[1:]])
    try:
        report = run_study(
            load_plan(study_name, plan),
            cells.order(train, replace, where.retries if where.elsewhere else 0, where.worker),
            out,
            results=results,
            executor=where.executor(out, base_url),
            command=command,
            console=console,
        )
    except KeyboardInterrupt:
        if written.exists() and written.stat().st_mtime_ns != before:
            console.print(Text(f"the report of what is finished: {written}"), soft_wrap=True)
        console.print(Text(f"resume with: {typed(*sys.argv[1:])}"), soft_wrap=True)
        raise
    typer.echo(str(report))


def _listed(names: list[str] | None) -> list[str]:
    """Returns the names in a list of options, each of which may hold several, split at commas."""
    return [part for name in names or [] for part in name.split(",") if part]
