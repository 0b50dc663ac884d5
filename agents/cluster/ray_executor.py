"""Trains cells as tasks of a Ray cluster, from any machine of it; no file system is shared.

A task gets its cell's files and sends back each checkpoint as it is written (`ray_task`). The
driver writes them into the folder that a study on this machine would have written. A cell whose
node dies is given to another one with the last checkpoint that came.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.cluster.answers import copy_of_answers
from agents.cluster.cell import CellNeeds
from agents.cluster.folder_files import ChangedFiles, write_files
from agents.cluster.questions import Asking
from agents.cluster.ray_nodes import selector_without
from agents.cluster.ray_task import train_on_node
from agents.cluster.versions import ROOT, differences, versions
from agents.training.executor import Lost, News
from agents.training.run.folder import Run, commit
from agents.training.run.lock import owned
from agents.training.run.status import TrainingStatus
from calm.errors import CalmError, EndpointError, UsageError

EXCLUDED = ("/.git", "/tests", "/docs", "/site", "/runs", "*.parquet", "*.svg", "*.sqlite*")
"""What of the checkout does not travel, beside what git ignores; in the words of .gitignore."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # tells nobody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_agent_register_timeout_ms": "120000",  # a busy machine starts a node's helpers slowly
}
CONNECT_SECONDS = 10.0
CHECK_SECONDS = 180.0
"""That a node may take to say what is installed on it; its first process is slow to start."""
SAVE_SECONDS = 30.0
STARTS = 3
"""Attempts to start Ray here, which gives a node half a minute; a busy machine takes longer, and
less the second time."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a connection of HTTP/2 begins, as Ray speaks it: the preface, and empty settings."""
OBJECT_STORE = 128 << 20
"""Bytes of shared memory of a cluster of this machine alone; it holds checkpoints under way."""
ADDRESSES = (
    "auto (the cluster that this machine is a node of), local (this machine alone), or the"
    " address of the head, such as 10.0.0.1:6379"
)


@dataclass
class _Attempt:
    """An attempt at a cell that is under way."""

    cell: int
    number: int
    ownership: ExitStack
    """Holds the lock of the run's folder."""
    node: str = ""
    """Id of the node that trains it; "" until that is known."""


class RayExecutor:
    """An executor that trains runs on a Ray cluster.

    Args:
        address: `auto`, `local`, or HOST:PORT of the cluster's head.
        needs: of each cell.
        asking: how their judges are asked; cells that read stored answers get a copy.
        at_once: cells at a time at most; by default as many as the cluster has room for.
    """

    def __init__(
        self,
        address: str,
        needs: CellNeeds,
        asking: Asking,
        at_once: int | None = None,
    ) -> None:
        self._address, self._needs, self._asking = address, needs, asking
        self._at_once = at_once
        self._closing = ExitStack()
        self._runs: Sequence[Run] = ()
        self._attempts: dict[Any, _Attempt] = {}
        """By the task's reference."""
        self._lost_on: dict[int, set[str]] = {}
        """By cell, the nodes on which it was lost, by their id."""
        self._count = 0
        self._ray: Any = None
        self._temporary: Path | None = None

    def begin(self, runs: Sequence[Run]) -> None:
        """Connects to the cluster and checks that all of its nodes have the driver's versions.

        Raises:
            EndpointError: nothing answers at the address.
            UsageError: Ray refuses this driver, or a node has other versions.
        """
        os.environ.update(QUIET)
        import ray
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._runs, self._ray = runs, ray
        self._expected = versions()
        self._connect()
        here = ray.get_runtime_context().get_node_id()
        on_this_node = NodeAffinitySchedulingStrategy(node_id=here, soft=False)
        self._queue = Queue(
            actor_options={
                "num_cpus": 0,
                "scheduling_strategy": on_this_node,
                "max_restarts": -1,
                "max_task_retries": -1,
            }
        )
        self._check_nodes(NodeAffinitySchedulingStrategy)
        self._answers = ray.put(copy_of_answers(runs, self._asking.store))
        here = ray.util.get_node_ip_address()
        alone = {n["NodeManagerAddress"] for n in ray.nodes() if n["Alive"]} == {here}
        owner = self._asking.owner(runs, None if alone else here)
        self._environment = self._closing.enter_context(owner)
        # A process of its own for each cell: no state of another one, and none of its memory.
        self._task = ray.remote(
            num_cpus=self._needs.cores,
            memory=int(self._needs.memory * 2**30),
            max_retries=0,  # `train_all` tries again, from the last checkpoint
            max_calls=1,
        )(train_on_node)

    def _connect(self) -> None:
        """Connects this process to the cluster, or starts one of this machine."""
        options: dict[str, Any] = {
            "log_to_driver": False,
            "logging_level": "ERROR",
            "runtime_env": {
                "working_dir": str(ROOT),
                "excludes": [*EXCLUDED],
                "env_vars": {**QUIET, "CALM_COMMIT": commit()},
            },
        }
        if self._address == "local":
            self._temporary = Path(tempfile.mkdtemp(prefix="calm-ray-", dir=_short_folder()))
            options |= {
                "num_cpus": (self._at_once or 0) * self._needs.cores or os.cpu_count(),
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE,
                "_temp_dir": str(self._temporary),
            }
        elif self._address != "auto" or os.environ.get("RAY_ADDRESS", "").startswith("ray://"):
            _check_answers(os.environ["RAY_ADDRESS"] if self._address == "auto" else self._address)
        for attempts_left in reversed(range(STARTS if self._address == "local" else 1)):
            try:
                self._ray.init(address=self._address, **options)
                return
            except ConnectionError as error:
                raise EndpointError(
                    f"no Ray cluster at {self._address} ({_first_line(error)}); start its head"
                    f" with `ray start --head --port 6379`, and name one of: {ADDRESSES}"
                ) from None
            except (RuntimeError, ValueError) as error:
                words = " ".join(str(error).split())
                raise UsageError(
                    f"the Ray cluster at {self._address} can't be used: {words}"
                ) from None
            except Exception as error:  # a plain one where a node is slow to start
                self._ray.shutdown()
                if not attempts_left:
                    raise CalmError(
                        f"Ray does not start here: {_first_line(error)} Is this machine busy?"
                    ) from None

    def _check_nodes(self, affinity: Any) -> None:
        """Has each node of the cluster tell its versions.

        Raises:
            UsageError: some have others than this machine.
        """
        ray = self._ray
        nodes = {n["NodeID"]: n["NodeManagerHostname"] for n in ray.nodes() if n["Alive"]}
        check = ray.remote(versions)
        asked = {
            check.options(
                num_cpus=0, scheduling_strategy=affinity(node_id=node, soft=False)
            ).remote(): name
            for node, name in nodes.items()
        }
        answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=CHECK_SECONDS)
        faults = []
        for reference in answered:
            try:
                there = ray.get(reference)
            except ray.exceptions.RuntimeEnvSetupError as error:
                raise UsageError(
                    f"the checkout can't be set up on {asked[reference]}: {_first_line(error)}"
                ) from None
            except ray.exceptions.RayError as error:
                faults.append(f"{asked[reference]} can't run it ({_last_line(error)})")
                continue
            if differing := differences(self._expected, there):
                faults.append(f"{asked[reference]} has {differing}")
        if faults:
            raise UsageError(
                "the nodes of one study must have the same versions, else its results are not"
                " those of one machine: " + "; ".join(sorted(faults))
            )

    @property
    def room(self) -> bool:
        """Whether fewer cells are handed to Ray than may be at once; Ray lets the others wait."""
        return not self._at_once or len(self._attempts) < self._at_once

    def start(self, i: int) -> bool:
        """Hands a cell to Ray, with the files of its folder, and returns True."""
        run = self._runs[i]
        ownership = ExitStack()
        ownership.enter_context(owned(run.folder))
        self._count += 1
        avoided = self._lost_on.get(i, set())
        selector = selector_without(avoided, self._ray.nodes(), self._needs) if avoided else {}
        task = self._task.options(label_selector=selector) if selector else self._task
        reference = task.remote(
            self._count,
            ChangedFiles(run.folder).take(),
            self._queue,
            self._needs,
            self._expected,
            self._answers,
            self._environment,
        )
        self._attempts[reference] = _Attempt(i, self._count, ownership)
        return True

    def news(self) -> Iterable[tuple[int, News]]:
        """Returns what the tasks report; writes the files that they send."""
        ray, references = self._ray, list(self._attempts)
        if not self._queue.qsize():
            ray.wait(references, timeout=0.5, fetch_local=False)
        ended, _ = ray.wait(references, num_returns=len(references), timeout=0, fetch_local=False)
        # Whatever an ended task put into the queue is there by now.
        yield from self._messages()
        for reference in ended:
            attempt = self._attempts.pop(reference)
            with attempt.ownership:
                news = self._ending(reference, attempt)
                if isinstance(news, Lost) and attempt.node:
                    self._lost_on.setdefault(attempt.cell, set()).add(attempt.node)
                yield attempt.cell, news

    def _messages(self) -> Iterable[tuple[int, TrainingStatus]]:
        """Empties the queue: yields each status, and writes files into their cells' folders."""
        attempts = {attempt.number: attempt for attempt in self._attempts.values()}
        for message in self._queue.get_nowait_batch(self._queue.qsize()):
            attempt = attempts.get(message.attempt)
            if attempt is None:  # of an attempt that was taken for lost
                continue
            if isinstance(message.news, TrainingStatus):
                yield attempt.cell, message.news
            elif isinstance(message.news, str):
                attempt.node = message.news
            else:
                write_files(self._runs[attempt.cell].folder, message.news)

    def _ending(self, reference: Any, attempt: _Attempt) -> News:
        """Returns how an attempt has ended, once its last files are written."""
        faults = self._ray.exceptions
        try:
            ending, files = self._ray.get(reference)
        except faults.TaskCancelledError:
            return KeyboardInterrupt()
        except faults.OutOfMemoryError:
            return Lost(
                f"its node ran out of memory (it has reserved {self._needs.memory:g} GiB; more"
                " with --memory)"
            )
        except faults.NodeDiedError:
            return Lost("its node died")
        except faults.RuntimeEnvSetupError as error:
            return Lost(f"the checkout could not be set up on its node: {_first_line(error)}")
        except faults.RayTaskError as error:
            return Lost(f"it failed on its node: {_last_line(error)}")
        except faults.RayError as error:
            return Lost(f"its process died ({_first_line(error)})")
        try:
            write_files(self._runs[attempt.cell].folder, files)
        except CalmError as error:
            return error
        news: News = ending.news()
        return news

    def end(self, interrupt: bool) -> None:
        """Ends all tasks and leaves the cluster, whose nodes stay unless it was begun here."""
        if self._ray is None:
            return
        try:
            if self._ray.is_initialized():
                self._end_tasks(interrupt)
        finally:
            self._closing.close()
            self._ray.shutdown()
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)

    def _end_tasks(self, interrupt: bool) -> None:
        """Cancels all tasks; with `interrupt` waits until they have saved their checkpoints."""
        for reference in self._attempts:
            self._ray.cancel(reference, force=not interrupt)
        end = time.monotonic() + SAVE_SECONDS
        while interrupt and self._attempts and time.monotonic() < end:
            for _ in self.news():
                pass
        for attempt in self._attempts.values():
            attempt.ownership.close()


def _check_answers(address: str) -> None:
    """Raises an error if an address is none, or nothing answers there.

    Ray itself would try for minutes.
    """
    if address.startswith("ray://"):
        raise UsageError(
            f"{address} is an address for Ray's client, through which a study can't be run: its"
            " checkpoints and its judge's owner need a machine of the cluster. Run the same command"
            " on the head, or on any node, with --ray auto"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"{address!r} is no address of a Ray cluster; name one of: {ADDRESSES}")
    try:
        with socket.create_connection((host, int(port)), CONNECT_SECONDS) as connection:
            connection.sendall(PREFACE)
            answer = connection.recv(9)
    except OSError as error:
        raise EndpointError(
            f"nothing answers at {address} ({error.strerror or error}); start the cluster's head"
            f" with `ray start --head --port {port}`, or name another: {ADDRESSES}"
        ) from None
    if len(answer) < 4 or answer[3] != 4:  # its settings
        raise EndpointError(
            f"what answers at {address} is no Ray cluster; name one of: {ADDRESSES}"
        )


def _short_folder() -> str | None:
    """Returns where Ray's files go: their sockets' paths have at most 107 bytes."""
    return None if len(os.fsencode(tempfile.gettempdir())) < 20 else "/tmp"


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
