"""Leases of a stand-in server."""

import os
import sys
from pathlib import Path
from typing import Any

from calm.local.lease import ServerLease
from calm.local.weights import weights_at
from tests.support.tiny_gguf import write_gguf


def standin(behaviour: str = "well") -> tuple[str, ...]:
    """The command of a stand-in server."""
    return (sys.executable, "-P", str(Path(__file__).with_name("standin_server.py")), behaviour)


def certain_keeper() -> tuple[str, ...]:
    """The command of a keeper that takes a server to hang only if it is stopped."""
    return (sys.executable, "-P", str(Path(__file__).with_name("standin_keeper.py")))


def lease_of(folder: Path, behaviour: str = "well", **options: Any) -> ServerLease:
    """A lease of the stand-in for the tiny model in a folder, which is made if it is missing."""
    path = folder / "tiny.gguf"
    if not path.exists():
        write_gguf(path)
    options = {"threads": 1, "server": standin(behaviour)} | options
    return ServerLease(weights_at(path), **options)


def processes_of(lease: ServerLease) -> tuple[int, int]:
    """Process ids of a server's keeper and of the server itself."""
    state = lease.state()
    assert os.getpid() not in (state["keeper"], state["server"])
    return state["keeper"], state["server"]
