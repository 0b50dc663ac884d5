"""Temporary folders: those of living processes stay, those of dead ones go."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from envs.native.folders import YOUNG_SECONDS, sweep
from tests.support.processes import line, python

SCRIPT = """
from envs.stepping.batch import Batch
batch = Batch("MiniHack-KeyRoom-S5-v0", 2, ("glyphs",), workers=0)
print(batch.backend._root, flush=True)
input()
"""


def aged(folder: Path) -> Path:
    old = time.time() - YOUNG_SECONDS - 10
    os.utime(folder, (old, old))
    return folder


def test_a_killed_process_without_workers_is_tidied_up_after() -> None:
    with python("-W", "ignore", "-c", SCRIPT, stdin=subprocess.PIPE) as process:
        folder = aged(Path(line(process)))
        sweep(folder.parent)
        assert folder.exists()  # its process lives
    assert folder.exists()
    sweep(folder.parent)
    assert not folder.exists()


def test_only_what_is_old_and_ours_is_swept(tmp_path: Path) -> None:
    gone = 2**22 + 1  # one more than the largest process id
    living = tmp_path / f"calm-{os.getpid()}-aaaaaaaa"
    young, old = tmp_path / f"calm-{gone}-young_00", tmp_path / f"calm-{gone}-old_0000"
    names = (
        "calm-my-results",
        "calm-2024-results",
        f"calm-{gone}-results_",
        f"other-{gone}-old_0000",
    )
    others = [tmp_path / name for name in names]
    for folder in (living, young, old, *others):
        (folder / "0").mkdir(parents=True)
        if folder != others[2]:
            (folder / "nhdat").touch()
    for folder in (living, old, *others):
        aged(folder)
    link, file = tmp_path / f"calm-{gone}-link_000", tmp_path / f"calm-{gone}-file_000"
    link.symlink_to(others[-1])
    file.touch()
    aged(file)
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {living, young, *others, link, file}
