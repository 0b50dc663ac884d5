"""`calm collect`: what it writes and says."""

import json
import os
import pty
import re
import signal
from pathlib import Path

from data.parquet import read_transitions
from tests.support.command_line import calm
from tests.support.processes import python


def test_collect_writes_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "new" / "played.parquet"
    summary = json.loads(calm("collect", "Room-5x5", "--out", path, "--episodes", 2, "--json"))
    rows = read_transitions(path).rows
    assert summary["transitions"] == len(rows)
    assert summary["episodes"] == 4
    assert {r.provenance["player"] for r in rows} == {"scripted", "random"}
    assert all(set(r.transition.texts) == {"screen", "crop", "events"} for r in rows)
    assert summary["achieved"]["reach the staircase down"] >= 2  # the scripted player finishes


def test_ctrl_c_keeps_what_was_played(tmp_path: Path) -> None:
    path = tmp_path / "played.parquet"
    path.write_bytes(b"what was here before")
    ours, theirs = pty.openpty()
    command = ["-m", "calm", "collect", "Room-5x5", "--episodes", 100_000, "--out", path]
    output = b""
    with python(*command, stderr=theirs) as process:
        os.close(theirs)
        # Its bar says when the third episode has been played.
        while not re.search(rb"[3-9]/2000", output):
            output += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        while chunk := _read(ours):
            output += chunk
        stdout, _ = process.communicate(timeout=240)
    os.close(ours)
    text = output.decode()
    assert process.returncode == 130, text
    assert "Traceback" not in text
    partial = tmp_path / "played.part.parquet"
    rows = read_transitions(partial).rows
    episodes = {row.transition.episode for row in rows}
    assert len(episodes) >= 3
    words = " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).split())
    assert f"{len(rows)} transitions of {len(episodes)} episodes" in words
    assert "the same command resumes" in words
    assert path.read_bytes() == b"what was here before"
    assert stdout == ""


def _read(descriptor: int) -> bytes:
    """What a terminal's other end still says; nothing once all have closed it."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
