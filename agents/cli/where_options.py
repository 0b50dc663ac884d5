"""On which machines `calm study` trains: the options that choose an executor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calm.errors import UsageError

if TYPE_CHECKING:
    from agents.training.executor import Executor


@dataclass(frozen=True, slots=True)
class WhereOptions:
    """Where cells are trained, and what each gets of its machine; each field is an option."""

    at_once: Annotated[
        int | None,
        typer.Option(
            min=1, help="Cells trained side by side. [one a core; all that there is room for]"
        ),
    ] = None
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="On a Ray cluster: auto (the one that this machine is a node of), local, or"
            " HOST:PORT of its head. Needs the extra `ray`.",
        ),
    ] = None
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PARTITION",
            help="As jobs of Slurm on this partition, in a folder that all nodes share; repeat for"
            " several. `local` tries it on this machine. Needs the extra `slurm`.",
        ),
    ] = None
    worker: Annotated[
        bool,
        typer.Option(
            "--worker",
            help="Beside others: start the same command on as many machines as you like, with --out"
            " on a folder that they share. Each claims cells and takes over those of the dead.",
        ),
    ] = False
    cores: Annotated[
        int, typer.Option(min=1, help="Cores of each cell, with --ray and --slurm.")
    ] = 1
    memory: Annotated[
        float,
        typer.Option(min=0.1, help="GiB of memory of each cell, with --ray and --slurm."),
    ] = 2.0
    minutes: Annotated[
        int,
        typer.Option(min=1, help="Of a Slurm job; a cell that needs more is queued again."),
    ] = 240
    insecure_owner: Annotated[
        bool,
        typer.Option(
            "--insecure-owner",
            help="Let cells on other nodes ask in the clear, with --ray and --slurm; else by TLS,"
            " with a certificate made for it by `openssl`.",
        ),
    ] = False
    retries: Annotated[
        int,
        typer.Option(
            min=0,
            help="How often a cell may be lost in a row, as with its node, without a later"
            " checkpoint; with --ray, --slurm and --worker.",
        ),
    ] = 3

    @property
    def elsewhere(self) -> bool:
        """Whether cells are trained on other machines than this one alone."""
        return bool(self.ray or self.slurm or self.worker)

    def executor(self, out: Path, base_url: str | None) -> Executor:
        """Returns the executor that the options choose.

        Args:
            out: the study's folder.
            base_url: the endpoint of `openai:` judges.

        Raises:
            UsageError: more than one is chosen.
        """
        chosen = [
            name
            for name, value in (("ray", self.ray), ("slurm", self.slurm), ("worker", self.worker))
            if value
        ]
        if len(chosen) > 1:
            raise UsageError(
                f"choose one of --ray, --slurm and --worker, got --{' --'.join(chosen)}"
            )
        from agents.cluster.cell import CellNeeds
        from agents.cluster.questions import Asking

        needs, store = CellNeeds(self.cores, self.memory), out / "store.sqlite"
        asking = Asking(store, base_url, self.insecure_owner)
        if self.ray:
            from agents.cluster.ray_executor import RayExecutor

            return RayExecutor(self.ray, needs, asking, self.at_once)
        if self.slurm:
            from agents.cluster.slurm_executor import SlurmExecutor

            return SlurmExecutor(
                [part for one in self.slurm for part in one.split(",") if part],
                out / "slurm",
                needs,
                asking,
                self.minutes,
                self.at_once,
            )
        if self.worker:
            from agents.cluster.worker import Worker

            return Worker(out / "claims", store, base_url, self.at_once, self.retries)
        from agents.training.parallel import LocalProcesses

        return LocalProcesses(store, base_url, self.at_once)
