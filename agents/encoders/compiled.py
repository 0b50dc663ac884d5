"""Compiles C kernels for a type of number, once, loads them, and says whether they may be called.

A kernel's source is compiled by the machine's own compiler for each of float and double where it is
first needed (a second or two), for the very processor it runs on, and kept in a cache folder.
"""

from __future__ import annotations

import ctypes
import logging
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from calm.native_build import build, failure, processor_name, why_not

log = logging.getLogger(__name__)

FLAGS = ("-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd")
BEST_FIRST = (("-march=native", "-fopenmp"), ("-march=native",), ())
"""Further flags, the first that compile and load. OpenMP's library is not linked: its functions
are torch's own, already loaded, so that both share one pool of threads."""
REAL = {torch.float32: "float", torch.float64: "double"}
SHARED = "../exponential.h"
"""What mechanisms' sources include, from their folders."""
WORTH_A_THREAD = 1 << 17
"""Exponentials for which a thread pays; about 50 µs of work."""


def load(
    source: Path, dtype: torch.dtype, headers: Sequence[str] = (SHARED,)
) -> ctypes.CDLL | None:
    """Returns a source's kernels for a type; None, with one line in the log, where there are none.

    Args:
        source: in C, with REAL for the type; the log calls it by its name without `.c`.
        dtype: float32 or float64.
        headers: files that it includes.
    """
    reason = why_not()
    for flags in () if reason else BEST_FIRST:
        try:
            return ctypes.CDLL(str(_compiled(source, REAL[dtype], flags, headers)))
        except (OSError, subprocess.SubprocessError) as error:
            reason = reason or failure(error)
    log.warning(
        "%s runs in plain torch, which is slower: no compiled kernel: %s", source.stem, reason
    )
    return None


class Kernel:
    """Kernels of a source of ours, by its function `run(job, what, threads)`.

    Its `Job` has whole numbers first, then doubles, then pointers to numbers of the kernels' type
    that lie one after the other. It returns 0, or 1 where there is no memory.

    Args:
        source: in C, with REAL for the type.
        sizes: names of the job's whole numbers.
        numbers: names of its doubles.
        tensors: names of its pointers.
        headers: files that it includes.
    """

    def __init__(
        self,
        source: Path,
        sizes: Sequence[str],
        numbers: Sequence[str],
        tensors: Sequence[str],
        headers: Sequence[str] = (),
    ) -> None:
        kinds = ((sizes, ctypes.c_int64), (numbers, ctypes.c_double), (tensors, ctypes.c_void_p))
        fields = [(name, kind) for names, kind in kinds for name in names]
        self._job = type("Job", (ctypes.Structure,), {"_fields_": fields})
        self._names = {name for name, _ in fields}
        self.library = cache(lambda dtype: load(source, dtype, headers))
        """Returns the kernels for a type; None, with one line in the log, where there are none."""
        self._name = source.stem

    def may_take(self, *tensors: Tensor) -> bool:
        """Returns whether these may be given to it, here and now."""
        return may_call(*tensors) and self.library(tensors[0].dtype) is not None

    def run(self, what: int, threads: int, **job: int | float | Tensor) -> None:
        """Fills in those of the tensors that are results.

        Args:
            what: the source's own number for what to compute.
            threads: at most so many do it.
            job: by name; tensors contiguous, of one type that `may_take`. What is left out is 0,
                or no tensor.
        """
        if unknown := job.keys() - self._names:  # which ctypes would keep beside the job
            raise TypeError(f"a job of {self._name} has no {', '.join(sorted(unknown))}")
        tensors = [value for value in job.values() if isinstance(value, Tensor)]
        loaded = self.library(tensors[0].dtype)
        assert loaded is not None  # the caller has asked
        values = {n: v.data_ptr() if isinstance(v, Tensor) else v for n, v in job.items()}
        if loaded.run(ctypes.byref(self._job(**values)), what, threads):
            raise MemoryError(f"no memory for the working space of {self._name}")


def threads_for(work: int) -> int:
    """Returns how many of torch's threads are worth it for a number of exponentials."""
    return min(torch.get_num_threads(), 1 + work // WORTH_A_THREAD)


def may_call(*tensors: Tensor) -> bool:
    """Returns whether C may read and write these, here and now.

    They are memory of this machine, all of one type that there is a kernel for, and nobody looks
    at the operations or replaces them: a compiler, an export, autocast, a count of operations.
    """
    dtype = tensors[0].dtype
    return (
        not torch.compiler.is_compiling()
        and not torch.compiler.is_exporting()
        and not torch.is_autocast_enabled("cpu")
        and not is_in_torch_dispatch_mode()
        and not torch._C._are_functorch_transforms_active()
        and dtype in REAL
        and all(
            type(x) in (Tensor, nn.Parameter) and x.is_cpu and x.dtype == dtype and not x.is_neg()
            for x in tensors
        )
    )


def _compiled(source: Path, real: str, flags: Sequence[str], headers: Sequence[str]) -> Path:
    """Compiles the shared library for a C type, where need be; returns its path."""
    folder = build(
        f"{source.stem}-{real}",
        source.parent,
        {f"{source.stem}.so": (source.name,)},
        flags=(*FLAGS, *flags, f"-DREAL={real}"),
        headers=headers,
        libraries=("-lm",),
        machine=processor_name(),
    )
    return folder / f"{source.stem}.so"
