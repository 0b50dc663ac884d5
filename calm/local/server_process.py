"""The process that holds the weights: llama.cpp's own server, on loopback. Nothing else uses it.

    python server_process.py '{"path": ..., "name": ..., "threads": 2, "slots": 4, "context": 4096}'

Writes its address as one line to standard output once it answers, and lives until its standard
input ends: so it is gone when whoever started it is, killed or not.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any

PROMPT_CACHE_MIB = 256
"""Memory for the prefixes of questions that no slot holds any more."""
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ends this process with its parent; loading holds Python still, so Linux sees to it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def serve(options: dict[str, Any]) -> str:
    """Loads a model and serves it in threads of its own; returns the base URL."""
    import xllamacpp

    p = xllamacpp.CommonParams()
    p.model.path = options["path"]
    p.model_alias = {options["name"]}
    p.n_parallel = options["slots"]
    p.n_ctx = options["slots"] * options["context"]
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = options["threads"]
    p.hostnames = ["127.0.0.1"]
    p.port = 0
    p.ui = False
    p.cors_origins = ""  # no web page has business here
    p.cache_ram_mib = PROMPT_CACHE_MIB
    p.ctx_shift = False  # a prompt that is too long is refused, not cut
    p.verbosity = 2
    server = xllamacpp.Server(p)
    _alive.append(server)
    return f"{server.listening_address}/v1"


_alive: list[object] = []


def main() -> None:
    """Serves until standard input ends."""
    die_with_parent()
    address = serve(json.loads(sys.argv[1]))
    sys.stdout.write(address + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
