"""A Ray cluster of several nodes on this machine, which ends with the test and leaves nothing."""

import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.cluster.ray_executor import QUIET

ENVIRONMENT = QUIET | {"RAY_agent_register_timeout_ms": "600000"}
STORE = 80 << 20
"""Bytes of shared memory of a node; Ray takes no less."""


PORTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens at just now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(n)]
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def told_ports(folder: Path, node: str, ports: dict[str, int]) -> Iterator[None]:
    """Writes a node's ports where it would wait 15 seconds for its helpers to write them.

    On a busy machine they take longer to start, and the node gives up.
    """
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.05):
            for session in folder.glob("ray/session_2*"):
                for name, port in ports.items():
                    path = session / f"{name}_{node}"
                    if not path.exists():
                        path.write_text(str(port))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


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
            ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
            node = secrets.token_hex(28)
            monkeypatch.setenv("RAY_OVERRIDE_NODE_ID_FOR_TESTING", node)
            with told_ports(folder, node, ports):
                cluster.add_node(
                    num_cpus=1, object_store_memory=STORE, include_dashboard=False, **ports
                )
        monkeypatch.delenv("RAY_OVERRIDE_NODE_ID_FOR_TESTING")
        yield cluster
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def trains(node: Any) -> bool:
    """Whether a node trains a cell just now."""
    raylet = node.all_processes["raylet"][0].process.pid
    return any("train_on_node" in _title(pid) for pid in _descendants(raylet))


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
