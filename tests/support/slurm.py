"""A Slurm of one machine: sbatch, srun, sacct, scancel and scontrol that run jobs as processes."""

import os
import sys
from pathlib import Path

COMMANDS = Path(__file__).with_name("slurm_commands.py")


def fake_slurm(folder: Path) -> dict[str, str]:
    """Makes the commands in a folder; returns the environment in which they are found.

    Its partitions are `day` and `night`. The state of each job is FOLDER/state/NUMBER.
    """
    state, commands = folder / "state", folder / "bin"
    state.mkdir(parents=True)
    commands.mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel", "scontrol"):
        path = commands / name
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {COMMANDS} {name} "$@"\n')
        path.chmod(0o755)
    return {"PATH": f"{commands}:{os.environ['PATH']}", "FAKE_SLURM": str(state)}
