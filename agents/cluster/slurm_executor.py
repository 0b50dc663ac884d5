"""Trains cells as Slurm jobs through submitit, in a folder that all nodes share.

A job that Slurm ends for its time or for another's sake is put into the queue again, and resumes
from its checkpoint. Jobs outlive the command: started again, it finds those still in the queue.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agents.cluster.answers import copy_of_answers
from agents.cluster.cell import CellNeeds, Ending
from agents.cluster.questions import Asking
from agents.cluster.slurm_job import CellJob, Submission
from agents.cluster.versions import versions
from agents.training.executor import Lost, News
from agents.training.run.folder import Run
from agents.training.run.status import StatusReader
from calm.errors import UsageError
from calm.files import write_file
from calm.owned.address import ADDRESS, TOKEN

LOCAL = "local"
"""Instead of a partition: submitit's executor of this machine, to try things out."""
STOP_SECONDS = 120.0
"""That jobs have to save a checkpoint when the study is stopped."""
POLL_SECONDS = 1.0
MOST_REQUEUES = 1000
"""Times that a job may run out of time; each resumes from the last one's checkpoint."""


class SlurmExecutor:
    """An executor that trains runs as jobs of Slurm.

    Args:
        partitions: that jobs may run on; `local` alone for processes of this machine.
        folder: for submitit's files and logs, on the shared file system.
        needs: of each cell.
        asking: how their judges are asked; cells that read stored answers work on a copy.
        minutes: that a job may run before it is put into the queue again.
        at_once: jobs that run at a time at most; Slurm decides by default.
    """

    def __init__(
        self,
        partitions: Sequence[str],
        folder: Path,
        needs: CellNeeds,
        asking: Asking,
        minutes: int = 240,
        at_once: int | None = None,
    ) -> None:
        self._partitions, self._folder = partitions, folder.resolve()
        self._needs, self._asking, self._minutes = needs, asking, minutes
        self._at_once = at_once
        self._closing = ExitStack()
        self._runs: Sequence[Run] = ()
        self._new: list[int] = []
        """Cells to be submitted together."""
        self._jobs: dict[int, Any] = {}
        self._statuses = StatusReader()
        self._stop = self._folder / "stop"

    def begin(self, runs: Sequence[Run]) -> None:
        """Prepares submitit and finds the jobs of an earlier command that are still in the queue.

        Raises:
            UsageError: there is no Slurm here.
        """
        import submitit

        self._runs, self._submitit = runs, submitit
        self._expected = versions()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._answers: Path | None = None
        if (answers := copy_of_answers(runs, self._asking.store)) is not None:
            self._answers = self._folder / "answers.sqlite"
            write_file(self._answers, answers)
        with contextlib.suppress(OSError):  # left by a command that was killed as it stopped
            self._stop.unlink(missing_ok=True)
        local = list(self._partitions) == [LOCAL]
        if LOCAL in self._partitions and not local:
            raise UsageError("--slurm local tries jobs on this machine; it can't be among others")
        try:
            self._executor: Any = submitit.AutoExecutor(
                self._folder,
                cluster="local" if local else "slurm",
                **{f"{'local' if local else 'slurm'}_max_num_timeout": MOST_REQUEUES},
            )
        except RuntimeError as error:
            raise UsageError(
                f"there is no Slurm here ({error}); run this where `sbatch` works, or try it with"
                " --slurm local"
            ) from None
        self._executor.update_parameters(
            name="calm-cell",
            timeout_min=self._minutes,
            cpus_per_task=self._needs.cores,
            mem_gb=self._needs.memory,
            slurm_partition=",".join(self._partitions),
            slurm_array_parallelism=self._at_once or 256,
            slurm_additional_parameters={"requeue": True},
        )
        machine = None if local else socket.getfqdn()
        asks = self._closing.enter_context(self._asking.owner(runs, machine))
        # Others may read what jobs get in submitit's files; those who asked for a token by its
        # variable have it in the environment that Slurm hands to jobs.
        self._environment = {name: value for name, value in asks.items() if name != TOKEN}
        self._find_jobs(local)

    @property
    def room(self) -> bool:
        """Whether a cell can be submitted: always on Slurm, which has a queue of its own."""
        if list(self._partitions) != [LOCAL] or not self._at_once:
            return True
        return len(self._new) + len(self._jobs) < self._at_once

    def start(self, i: int) -> bool:
        """Has a cell submitted with the next call of `news`, and returns True."""
        if i not in self._jobs:
            self._new.append(i)
        return True

    def news(self) -> Iterable[tuple[int, News]]:
        """Returns what the jobs report; submits those that were started since."""
        if self._new:
            self._submit()
        time.sleep(POLL_SECONDS)
        folders = {i: self._runs[i].folder for i in self._jobs}
        yield from self._statuses.changed(folders, time.monotonic())
        ended = [i for i, job in self._jobs.items() if job.done()]
        for i in ended:
            yield i, self._ending(self._jobs.pop(i))
        if ended:
            self._note_jobs()

    def _submit(self) -> None:
        """Submits the started cells as one array.

        Raises:
            UsageError: Slurm refuses, as for a partition that it does not have.
        """
        owner = self._environment.get(ADDRESS, "")
        submissions = {i: Submission(secrets.token_hex(8), owner) for i in self._new}
        for i, submission in submissions.items():
            submission.write(self._runs[i].folder)
        cells = [
            CellJob(
                self._runs[i].folder.resolve(),
                self._stop,
                self._needs,
                self._expected,
                self._answers,
                self._environment,
                submissions[i],
            )
            for i in self._new
        ]
        try:
            with self._executor.batch():
                jobs = [self._executor.submit(cell) for cell in cells]
            self._jobs |= dict(zip(self._new, jobs, strict=True))
        except self._submitit.core.utils.FailedJobError as error:
            words = " ".join(str(error).split())
            raise UsageError(
                f"Slurm does not take jobs for {', '.join(self._partitions)}: {words[-300:]};"
                " `sinfo` lists the partitions"
            ) from None
        self._new.clear()
        self._note_jobs()

    def _ending(self, job: Any) -> News:
        """Returns how a job has ended."""
        utils = self._submitit.core.utils
        try:
            ending = job.result()
        except (utils.FailedJobError, utils.UncompletedJobError) as error:
            state = str(job.state).upper()
            if "OUT_OF_ME" in state:
                return Lost(
                    f"job {job.job_id} ran out of memory (it had {self._needs.memory:g} GiB; more"
                    " with --memory)"
                )
            line = next((x for x in reversed(str(error).splitlines()) if x.strip()), "")
            return Lost(
                f"job {job.job_id} ended as {state}: {line.strip()[:200]} (log: {job.paths.stderr})"
            )
        return (
            ending.news() if isinstance(ending, Ending) else Lost(f"job {job.job_id} said nothing")
        )

    def end(self, interrupt: bool) -> None:
        """Ends all jobs; with `interrupt` they get two minutes to save a checkpoint."""
        with self._closing:
            if self._jobs:
                self._end_jobs(interrupt)

    def _end_jobs(self, interrupt: bool) -> None:
        if interrupt:
            self._stop.touch()
            end = time.monotonic() + STOP_SECONDS
            while any(self._is_running(i) for i in self._jobs) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
        for job in self._jobs.values():
            if not job.done():
                with contextlib.suppress(Exception):  # an ended job can't be cancelled
                    job.cancel(check=False)
        self._jobs.clear()
        self._note_jobs()
        with contextlib.suppress(OSError):
            self._stop.unlink(missing_ok=True)

    def _is_running(self, i: int) -> bool:
        """Returns whether a job is being run, so that it could save a checkpoint."""
        return (self._runs[i].folder / "owner.json").exists() and not self._jobs[i].done()

    @property
    def _index(self) -> Path:
        """The file that names the jobs of cells, by the folder of their runs."""
        return self._folder / "jobs.json"

    def _note_jobs(self) -> None:
        """Writes which job trains which cell, for a later command."""
        jobs = {str(self._runs[i].folder.resolve()): job.job_id for i, job in self._jobs.items()}
        write_file(self._index, json.dumps(jobs, indent=1))

    def _find_jobs(self, local: bool) -> None:
        """Takes up the jobs of an earlier command that Slurm, or this machine, still has.

        Those whose judge asks an owner at another address than that of now would wait for it until
        they give up; they are cancelled, and their cells submitted anew.
        """
        try:
            jobs = json.loads(self._index.read_text("utf-8"))
        except (OSError, ValueError):
            return
        for i, run in enumerate(self._runs):
            if (number := jobs.get(str(run.folder.resolve()))) is not None:
                process: Any = _Process(number)
                job: Any = (
                    self._submitit.LocalJob(self._folder, str(number), process=process)
                    if local
                    else self._submitit.SlurmJob(self._folder, str(number))
                )
                if job.done(force_check=True):
                    continue
                submission = Submission.read(run.folder)
                if submission is None or submission.owner == self._environment.get(ADDRESS, ""):
                    self._jobs[i] = job
                else:
                    job.cancel(check=False)


class _Process:
    """A process of submitit's local executor that another command started.

    Args:
        number: of the job, which is that of its process.
    """

    def __init__(self, number: str) -> None:
        self._pid = int(number.partition("_")[0])

    def poll(self) -> int | None:
        """Returns None while it runs, else 0, since its status went to whoever started it."""
        try:
            command = Path(f"/proc/{self._pid}/cmdline").read_bytes()
        except OSError:
            return 0
        return None if b"submitit.local" in command else 0  # its number is another's by now

    def send_signal(self, number: int) -> None:
        """Sends it a signal; it may have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)
