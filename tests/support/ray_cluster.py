"""A Ray cluster of several nodes on this machine, which ends with the test and leaves nothing."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_agent_register_timeout_ms": "600000",  # a busy machine starts a node slowly
}
STORE = 80 << 20
"""Bytes of shared memory of a node; Ray takes no less."""


@contextmanager
def ray_cluster(monkeypatch: pytest.MonkeyPatch, nodes: int) -> Iterator[Any]:
    """Yields a `ray.cluster_utils.Cluster` of nodes with one core each; this process is not in it.

    Its files lie in a folder with a short name, since sockets are among them.
    """
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    import ray._private.node as ray_node
    from ray.cluster_utils import Cluster

    # A node that is not there after 30 seconds is given up; this lets it have 5 minutes.
    slow = SimpleNamespace(**{n: getattr(time, n) for n in dir(time) if not n.startswith("__")})
    slow.monotonic = lambda: time.monotonic() / 10
    monkeypatch.setattr(ray_node, "time", slow)
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    (folder / "ray").mkdir()
    cluster = Cluster()
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, object_store_memory=STORE, include_dashboard=False)
        yield cluster
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def trains(node: Any) -> bool:
    """Whether a node trains a cell just now."""
    raylet = node.all_processes["raylet"][0].process.pid
    return any("train_in_task" in _title(pid) for pid in _descendants(raylet))


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def leftovers(folder: str) -> list[str]:
    """The processes whose command line names a folder."""
    return [
        title
        for entry in os.listdir("/proc")
        if entry.isdigit() and folder in (title := _title(int(entry)))
    ]
