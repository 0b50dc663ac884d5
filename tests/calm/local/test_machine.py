"""Threads, slots and context, from numbers worked by hand."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.local.gguf import Header
from calm.local.machine import (
    ServerSettings,
    choose_settings,
    free_memory,
    idle_cores,
    memory_needed,
)

HEADER = Header("m", "llama", "mit", 8192, True, 10_000, 50_000, 1, 1_000_000_000)
PLENTY = 1e12


@pytest.mark.parametrize(
    ("cores", "idle", "beside", "threads"),
    [
        (2, 2.0, False, 2),
        (2, 1.1, False, 1),  # someone else computes
        (2, 0.0, False, 1),
        (2, 2.0, True, 1),  # a core is left to the training
        (16, 15.6, False, 16),
        (16, 16.0, True, 8),
        (16, 5.2, True, 5),
        (3, None, False, 3),
        (1, None, True, 1),
    ],
)
def test_threads_are_the_idle_cores_and_half_beside_a_training(
    cores: int, idle: float | None, beside: bool, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calm.local.machine.idle_cores", lambda: idle)
    settings = choose_settings(HEADER, beside=beside, cores=cores, memory=PLENTY)
    assert settings == ServerSettings(threads, 4, 4096)


def test_slots_and_then_context_give_way_to_memory() -> None:
    def chosen(memory: float) -> ServerSettings:
        return choose_settings(HEADER, cores=2, idle=2, memory=memory)

    # Weights, 512 x 50,000 numbers of 4 bytes, 256 MiB of prompts, 200 MB; 10 kB a token of context
    base = 1e9 + 102.4e6 + 268_435_456 + 200e6
    assert memory_needed(HEADER, ServerSettings(2, 3, 4096)) == base + 3 * 40.96e6
    assert chosen(base + 4 * 40.96e6) == ServerSettings(2, 4, 4096)
    assert chosen(base + 4 * 40.96e6 - 1) == ServerSettings(2, 3, 4096)
    assert chosen(base + 40.96e6) == ServerSettings(2, 1, 4096)
    assert chosen(base + 40.9e6) == ServerSettings(2, 3, 1024)
    with pytest.raises(
        UsageError, match=r"needs about 1\.6 GB \(1\.0 GB of weights\), and 1\.5 GB"
    ):
        chosen(1.5e9)


def test_what_is_named_is_taken_and_checked() -> None:
    settings = choose_settings(HEADER, threads=3, slots=7, context=512, memory=PLENTY)
    assert settings == ServerSettings(3, 7, 512)
    for wrong in ({"threads": 0}, {"slots": -1}, {"context": 0}):
        with pytest.raises(UsageError, match="at least 1"):
            choose_settings(HEADER, **wrong, memory=PLENTY)
    with pytest.raises(UsageError, match="takes 8192 tokens of context, not 9000"):
        choose_settings(HEADER, context=9000, memory=PLENTY)
    with pytest.raises(UsageError, match="does not fit"):
        choose_settings(HEADER, slots=2, context=4096, memory=1.6e9)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_free_memory_is_the_least_of_machine_and_control_groups(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    assert free_memory(proc, groups) is None
    _write(proc / "meminfo", "MemTotal: 9000 kB\nMemAvailable: 7000 kB\n")
    assert free_memory(proc, groups) == 7000 * 1024
    _write(proc / "self" / "cgroup", "0::/job/step\n")
    _write(groups / "job" / "step" / "memory.max", "max\n")
    _write(groups / "job" / "memory.max", "5000000\n")
    _write(groups / "job" / "memory.current", "4000000\n")
    _write(groups / "job" / "memory.stat", "anon 1\ninactive_file 300000\nactive_file 200000\n")
    assert free_memory(proc, groups) == 5000000 - 4000000 + 500000
    _write(proc / "self" / "cgroup", "4:memory:/old\n2:cpu:/\n")
    _write(groups / "memory" / "old" / "memory.limit_in_bytes", "900000\n")
    _write(groups / "memory" / "old" / "memory.usage_in_bytes", "600000\n")
    _write(groups / "memory" / "old" / "memory.stat", "total_inactive_file 50\ntotal_active_file 7")
    assert free_memory(proc, groups) == 300057


def test_idle_cores_are_what_the_idle_clock_gained(tmp_path: Path) -> None:
    assert idle_cores(0.0, tmp_path) is None
    _write(tmp_path / "stat", "cpu  10 0 10 500 20 0 0 0\n")
    assert idle_cores(0.01, tmp_path) == 0.0
