"""Computes the selective scan forward and backward on a CPU, in C (`selective_scan.c`).

Where it can't be compiled, and where the environment says CALM_NATIVE=0, `plain.py` does the same
in torch.

No copy is made to read a tensor: kernels take any strides, and the order in which cells are
visited is looked up as they go.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from agents.encoders.compiled import load, threads_for

SOURCE = Path(__file__).with_name("selective_scan.c")


class _Strided(ctypes.Structure):
    """`Tensor` of selective_scan.c: an address and strides in elements."""

    _fields_ = (
        ("at", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("sample", "cell", "head", "route", "inner")),
    )


class _Job(ctypes.Structure):
    """`Job` of selective_scan.c, which says what the fields mean."""

    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in ("samples", "cells", "heads", "routes", "size", "state")
        ),
        ("order", ctypes.c_void_p),
        *((name, _Strided) for name in ("u", "delta", "A", "B", "C", "y")),
        ("starts", ctypes.c_void_p),
        *((name, _Strided) for name in ("dy", "du", "d_delta", "dA", "dB", "dC")),
    )


@cache
def library(dtype: torch.dtype) -> ctypes.CDLL | None:
    """Returns the kernels for a type; None, with one line in the log, where they can't be built."""
    loaded = load(SOURCE, dtype)
    if loaded is not None:
        loaded.kept_elements.restype = ctypes.c_int64
    return loaded


def forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, order: Tensor | None, keep: bool
) -> tuple[Tensor, Tensor]:
    """Returns y (b, L, h, k, s), and the states for `backward` (none unless `keep`).

    Args:
        u: (b, L, h, s), delta (b, L, h, k, s), A (h, k, s, n), B and C (b, L, h, k, n), as
            `agents.encoders.selective_scan.autograd.scan_map` takes them.
        order: (h, k, L), int64 and contiguous, or None.
    """
    y = _like(delta)
    job = _job(u, delta, A, B, C, order)
    job.y = _strided(y)
    starts = u.new_empty(_library(u).kept_elements(ctypes.byref(job)) if keep else 0)
    job.starts = starts.data_ptr() if keep else None
    _run(job, u, backward=False)
    return y, starts


def backward(
    dy: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    order: Tensor | None,
    starts: Tensor,
) -> tuple[Tensor, ...]:
    """Returns the gradients of u, delta, A, B, C, each in its own shape.

    Args:
        dy: the gradient of y, (b, L, h, k, s).
        u, delta, A, B, C, order: as for `forward`.
        starts: the states that `forward` has kept.
    """
    job = _job(u, delta, A, B, C, order)
    job.dy, job.starts = _strided(dy), starts.data_ptr()
    du, d_delta, dB, dC = _like(delta), _like(delta), *(torch.empty_like(x) for x in (B, C))
    dA = A.new_empty(len(u), *A.shape)  # apart for each sample, and added in a fixed order
    job.du, job.d_delta, job.dB, job.dC = map(_strided, (du, d_delta, dB, dC))
    job.dA = _strided(dA.unsqueeze(1).transpose(1, 4).squeeze(4))
    _run(job, u, backward=True)
    return du.sum(3), d_delta, dA.sum(0), dB, dC


def _like(delta: Tensor) -> Tensor:
    """Returns a new (b, L, h, k, s) with routes outermost in memory.

    Sums over routes then run along vectors.
    """
    b, cells, heads, routes, size = delta.shape
    return delta.new_empty(routes, b, cells, heads, size).permute(1, 2, 3, 0, 4)


def _library(u: Tensor) -> ctypes.CDLL:
    loaded = library(u.dtype)
    assert loaded is not None  # the caller has asked
    return loaded


def _job(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, order: Tensor | None) -> _Job:
    samples, cells, heads, routes, size = delta.shape
    job = _Job(samples, cells, heads, routes, size, A.shape[-1])
    job.order = None if order is None else order.data_ptr()
    job.u = _strided(u.unsqueeze(3).expand_as(delta))
    job.delta, job.B, job.C = map(_strided, (delta, B, C))
    # A has no sample and no cell: its channels take the cell's place.
    job.A = _strided(A.permute(2, 0, 1, 3).unsqueeze(0))
    return job


def _strided(x: Tensor) -> _Strided:
    return _Strided(x.data_ptr(), *x.stride())


def _run(job: _Job, u: Tensor, *, backward: bool) -> None:
    work = job.samples * job.cells * job.heads * job.routes * job.size * job.state
    if _library(u).run(ctypes.byref(job), int(backward), threads_for(work)):
        raise MemoryError("no memory for the selective scan's working space")
