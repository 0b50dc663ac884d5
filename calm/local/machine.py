"""What this machine can give a model: cores, memory, and from them threads, slots and context."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from calm.errors import UsageError
from calm.local.gguf import Header
from calm.local.server_process import PROMPT_CACHE_MIB

MIN_CONTEXT, USUAL_CONTEXT = 1024, 4096
MAX_SLOTS = 4
_BATCH = 512  # tokens that are computed at once, each with a number for every word it might be
_WORKSPACE = 200e6  # bytes that are left to be explained: 1.5B and 135M with four slots, rounded up


@dataclass(frozen=True)
class ServerSettings:
    """How a model is served."""

    threads: int
    """That compute; they wait for one another by spinning, so never more than free cores."""
    slots: int
    """Questions answered at once; each keeps the prefix of its last one."""
    context: int
    """Tokens of prompt and answer in one slot."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, for the server's command line."""
        return asdict(self)


def usable_cores() -> int:
    """Returns the cores that this process may use, by its affinity and its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _cgroup_cpu()
    return max(1, min(cores or 1, int(quota) if quota else cores or 1))


def idle_cores(seconds: float = 0.2, proc: Path = Path("/proc")) -> float | None:
    """Returns how many cores were idle, on average over so many seconds; None if not known."""
    before = _idle_seconds(proc)
    time.sleep(seconds)
    after = _idle_seconds(proc)
    return None if before is None or after is None else (after - before) / seconds


def _idle_seconds(proc: Path) -> float | None:
    """Returns the seconds that cores have been idle since the start, all together."""
    try:
        fields = (proc / "stat").read_text().splitlines()[0].split()
        return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def choose_settings(
    header: Header,
    *,
    beside: bool = False,
    threads: int | None = None,
    slots: int | None = None,
    context: int | None = None,
    cores: int | None = None,
    idle: float | None = None,
    memory: float | None = None,
) -> ServerSettings:
    """Chooses threads, slots and context for a model on this machine, where they are not named.

    A thread for every core that is idle, and beside a training that computes meanwhile for half of
    the cores at most: threads wait for one another, so one whose core does other work holds up all.
    Slots cost memory for their context alone: as many as fit, up to four.

    Args:
        beside: whether the job computes while the model answers.
        cores, idle: cores that may be used, and how many of them nothing runs on; None asks the
            machine.
        memory: bytes that are free; None asks the machine.

    Raises:
        UsageError: a number makes no sense, or the model does not fit into memory.
    """
    cores = usable_cores() if cores is None else cores
    if idle is None and threads is None:
        idle = idle_cores()
    free = free_memory() if memory is None else memory
    for name, value in (("threads", threads), ("slots", slots), ("context", context)):
        if value is not None and value < 1:
            raise UsageError(f"a local model needs at least 1 of {name}, got {value}")
    if threads is None:
        most = cores // 2 if beside else cores
        threads = max(1, most if idle is None else min(most, round(idle)))
    trained = header.context or USUAL_CONTEXT
    if context is not None and context > trained:
        raise UsageError(f"the model takes {trained} tokens of context, not {context}")
    sizes = [context] if context else [min(trained, USUAL_CONTEXT), min(trained, MIN_CONTEXT)]
    choices = [
        ServerSettings(threads, n, size)
        for size in sizes
        for n in ([slots] if slots else range(MAX_SLOTS, 0, -1))
    ]
    if free is None:
        return choices[0]
    for settings in choices:
        if memory_needed(header, settings) <= free:
            return settings
    need = memory_needed(header, choices[-1])
    raise UsageError(
        f"the model does not fit into memory: it needs about {need / 1e9:.1f} GB"
        f" ({header.size / 1e9:.1f} GB of weights), and {free / 1e9:.1f} GB are free."
        " Take a smaller model or quantisation, or free memory"
    )


def memory_needed(header: Header, settings: ServerSettings) -> float:
    """Returns the bytes that a model takes once it is served, about.

    Weights, context, the likelihoods of a batch, remembered prompts, and working space.
    """
    context = header.bytes_per_token * settings.slots * settings.context
    batch = 4 * _BATCH * header.vocabulary
    return header.size + context + batch + PROMPT_CACHE_MIB * 2**20 + _WORKSPACE


def free_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Returns the bytes free in the machine and the control group; None if neither says."""
    limits = [_available(proc), _cgroup_memory(proc, cgroups)]
    return min((value for value in limits if value is not None), default=None)


def _available(proc: Path) -> float | None:
    try:
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _cgroup_memory(proc: Path, cgroups: Path) -> float | None:
    """Returns the bytes left in the control group, what it caches of files counted as free."""
    left = []
    for folder, most, now in _memory_groups(proc, cgroups):
        try:
            limit = (folder / most).read_text().strip()
            if limit == "max" or int(limit) >= 1 << 60:
                continue
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            cached = sum(
                int(stat.get(f"total_{name}", stat.get(name, 0)))
                for name in ("inactive_file", "active_file")
            )
            left.append(float(int(limit) - int((folder / now).read_text()) + cached))
        except (OSError, ValueError):
            continue
    return min(left, default=None)


def _memory_groups(proc: Path, cgroups: Path) -> list[tuple[Path, str, str]]:
    """Returns this process's memory groups and those above: folder, names of limit and use."""
    groups = []
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, names = cgroups, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            root, names = cgroups / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        inside = Path(path.lstrip("/"))
        groups += [(root / part, *names) for part in (inside, *inside.parents)]
    return groups


def _cgroup_cpu(cgroups: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Returns the cores that the control group allows in all, or None."""
    try:
        quota, period = (cgroups / "cpu.max").read_text().split()
        return None if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError):
        pass
    try:
        quota = (cgroups / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (cgroups / "cpu" / "cpu.cfs_period_us").read_text()
        return float(quota) / float(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None
