"""`python -m calm.loopback`: the server in a process of its own; prints its base URL."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

import typer

from calm.loopback.server import Loopback


def main(
    port: int = typer.Option(0, help="Port; 0 takes a free one."),
    latency: float = typer.Option(0.0, help="Seconds before an answer."),
    bucket: float | None = typer.Option(None, help="Requests a second before it says 429."),
    rules: Path | None = typer.Option(None, help="JSON: patterns by subgoal name."),
    fault: list[str] = typer.Option([], help="NAME=SHARE of requests; see calm/loopback/faults.py"),
    seed: int = typer.Option(0, help="Of the faults drawn."),
) -> None:
    """Serves chat completions on loopback until it is stopped."""
    table = json.loads(rules.read_text("utf-8")) if rules else {}
    shares = {name: float(share) for name, _, share in (f.partition("=") for f in fault)}
    server = Loopback(
        table, latency=latency, bucket=bucket, faults=shares, seed=seed, port=port
    ).start()
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    signal.signal(signal.SIGINT, lambda *_: done.set())
    sys.stdout.write(server.url + "\n")  # now whoever reads it may end this process
    sys.stdout.flush()
    done.wait()
    server.stop()


if __name__ == "__main__":
    typer.run(main)
