"""Kernels in C: made once for each type, done without where need be."""

import ctypes
import logging
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from agents.encoders.compiled import SHARED, Kernel, load, may_call, threads_for
from calm.native_build import why_not

if why_not() is not None:
    pytest.skip("no C compiler", allow_module_level=True)

TWICE = f'#include "{SHARED}"\nvoid twice(REAL *x) {{ *x *= 2; }}\n'


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "room").mkdir()
    (tmp_path / "exponential.h").write_text("")
    path = tmp_path / "room" / "twice.c"
    path.write_text(TWICE)
    return path


def made(source: Path) -> list[Path]:
    return sorted((source.parent.parent / "cache" / "calm").iterdir())


def test_it_is_compiled_once_for_each_type(source: Path) -> None:
    single, double = load(source, torch.float32), load(source, torch.float64)
    assert single is not None
    assert double is not None
    x, y = ctypes.c_float(1.5), ctypes.c_double(2.5)
    single.twice(ctypes.byref(x))
    double.twice(ctypes.byref(y))
    assert (x.value, y.value) == (3.0, 5.0)
    of_double, of_single = made(source)
    assert of_double.name.startswith("twice-double-")
    assert of_single.name.startswith("twice-float-")
    when = of_single.stat().st_mtime_ns
    load(source, torch.float32)
    assert of_single.stat().st_mtime_ns == when
    assert len(made(source)) == 2


def test_a_change_of_what_it_includes_compiles_it_anew(source: Path) -> None:
    load(source, torch.float32)
    (source.parent / SHARED).write_text("/* changed */")
    load(source, torch.float32)
    assert len(made(source)) == 2


def test_without_a_compiler_there_is_none_and_the_log_says_so(
    source: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with caplog.at_level(logging.WARNING):
        assert load(source, torch.float32) is None
    (record,) = caplog.records
    assert record.getMessage().startswith("twice runs in plain torch")
    assert "no-such-compiler" in record.getMessage()


def test_a_compiler_without_threads_or_native_code_will_do(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "old-cc"
    compiler.write_text(
        '#!/bin/sh\nfor a in "$@"; do case $a in -march=*|-fopenmp) exit 1;; esac; done\n'
        'exec cc "$@"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    assert load(source, torch.float32) is not None


def test_source_that_does_not_compile_is_told(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source.write_text("this is no C\n")
    with caplog.at_level(logging.WARNING):
        assert load(source, torch.float64) is None
    assert "this is no C" in caplog.text


def test_a_thread_is_taken_only_for_work_that_pays() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert [threads_for(n) for n in (0, (1 << 17) - 1, 1 << 17, 1 << 30)] == [1, 1, 2, 3]
    finally:
        torch.set_num_threads(before)


def test_only_memory_of_this_machine_and_one_type_is_given_to_c() -> None:
    x = torch.ones(2)
    assert may_call(x)
    assert may_call(x, torch.nn.Parameter(x))
    assert may_call(x.double())
    assert not may_call(x, x.double())
    assert not may_call(x.half())
    assert not may_call(torch.ones(2, device="meta"))
    assert not may_call(torch.ones(2, dtype=torch.complex64).conj().imag)  # its sign is put off
    with torch.autocast("cpu"):
        assert not may_call(x)
    with FlopCounterMode(display=False):
        assert not may_call(x)
    mapped = torch.func.vmap(lambda one: one * may_call(one))(x)
    assert mapped.tolist() == [0, 0]


SCALED = """
#include <stdint.h>
typedef struct { int64_t n; double by; const REAL *x; REAL *out; } Job;
int run(const Job *job, int what, int threads) {
    if (what == 7) return 1;
    for (int64_t i = 0; i < job->n; i++) job->out[i] = job->x[i] * job->by + what + 10 * threads;
    return job->x == 0;
}
"""


def test_a_kernel_is_given_its_job_by_names(source: Path) -> None:
    source.write_text(SCALED)
    kernel = Kernel(source, ("n",), ("by",), ("x", "out"))
    for dtype in (torch.float32, torch.float64):
        x, out = torch.tensor([1.0, 3.0], dtype=dtype), torch.zeros(2, dtype=dtype)
        assert kernel.may_take(x, out)
        kernel.run(1, 2, out=out, x=x, n=2, by=0.5)
        assert out.tolist() == [21.5, 22.5]
    assert not kernel.may_take(x, out.float())
    assert not kernel.may_take(x.half())
    with pytest.raises(MemoryError, match="working space of twice"):
        kernel.run(7, 1, x=x)
    with pytest.raises(TypeError, match="a job of twice has no other"):
        kernel.run(1, 1, x=x, other=2)
