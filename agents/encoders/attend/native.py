"""Computes softmax attention forward and backward on a CPU, in C (`attend.c`).

Where it can't be compiled, and where the environment says CALM_NATIVE=0, `plain.py` does the same
in torch.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from agents.encoders.compiled import REAL, load, threads_for

__all__ = ["MOST_KEYS", "REAL", "backward", "forward", "library"]

SOURCE = Path(__file__).with_name("attend.c")
MOST_KEYS = 512
SLICES = 8
"""Parts of a batch that threads may share out, whatever their number."""


class _Strided(ctypes.Structure):
    """`Tensor` of attend.c: an address and strides in elements."""

    _fields_ = (
        ("at", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("sample", "token", "head")),
    )


class _Job(ctypes.Structure):
    """`Job` of attend.c, which says what the fields mean."""

    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in ("samples", "heads", "queries", "keys", "size", "slices")
        ),
        ("scale", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("asked", "valid", "bias")),
        *((name, _Strided) for name in ("q", "k", "v", "out")),
        ("kept", ctypes.c_void_p),
        *((name, _Strided) for name in ("d_out", "dq", "dk", "dv")),
        ("d_bias", ctypes.c_void_p),
    )


@cache
def library(dtype: torch.dtype) -> ctypes.CDLL | None:
    """Returns the kernels for a type; None, with one line in the log, where they can't be built."""
    return load(SOURCE, dtype)


def forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    valid: Tensor | None,
    asked: Tensor | None,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """Returns `attend` of these, and what `backward` needs (nothing unless `keep`)."""
    call = _Call(q, k, v, bias, valid, asked)
    out = q.new_empty(q.shape)
    batch, queries, heads, _ = q.shape
    kept = q.new_empty((batch, heads, 2, queries) if keep else 0)
    call.job.out = _strided(out)
    call.job.kept = kept.data_ptr() if keep else None
    call.run(backward=False)
    return out, kept


def backward(
    d_out: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    valid: Tensor | None,
    asked: Tensor | None,
    *,
    out: Tensor,
    kept: Tensor,
    bias_learns: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Returns the gradients of q, k, v and the bias (None unless it learns).

    Args:
        d_out: the gradient of `out`.
        q, k, v, bias, valid, asked: as for `forward`.
        out, kept: what `forward` has returned.
        bias_learns: whether its gradient is asked.
    """
    call = _Call(q, k, v, bias, valid, asked)
    d_out = d_out if d_out.stride(-1) == 1 else d_out.contiguous()
    dq, dk, dv = (x.new_empty(x.shape) for x in (q, k, v))
    d_bias = None
    if bias is not None and bias_learns:
        d_bias = bias.new_empty(call.job.slices, *bias.shape)
        call.job.d_bias = d_bias.data_ptr()
    call.job.out, call.job.kept = _strided(out), kept.data_ptr()
    call.job.d_out, call.job.dq, call.job.dk, call.job.dv = map(_strided, (d_out, dq, dk, dv))
    call.run(backward=True)
    return dq, dk, dv, None if d_bias is None else d_bias.sum(0)


class _Call:
    """A job, with the tensors that it points to."""

    def __init__(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        bias: Tensor | None,
        valid: Tensor | None,
        asked: Tensor | None,
    ) -> None:
        batch, queries, heads, size = q.shape
        keys = k.shape[1]
        self.dtype = q.dtype
        rows = [x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v)]
        others = [None if x is None else x.contiguous() for x in (asked, valid, bias)]
        self.held = [*rows, *others]
        self.job = _Job(batch, heads, queries, keys, size, min(SLICES, max(batch, 1)), size**-0.5)
        self.job.q, self.job.k, self.job.v = map(_strided, rows)
        self.job.asked, self.job.valid, self.job.bias = (
            None if x is None else x.data_ptr() for x in others
        )

    def run(self, *, backward: bool) -> None:
        """Fills in the tensors that the job names as its results."""
        job = self.job
        work = job.samples * job.heads * job.queries * job.keys * (2 if backward else 1)
        loaded = library(self.dtype)
        assert loaded is not None  # the caller has asked
        if loaded.run(ctypes.byref(job), int(backward), threads_for(work)):
            raise MemoryError("no memory for the working space of attention")


def _strided(x: Tensor) -> _Strided:
    return _Strided(x.data_ptr(), *x.stride()[:3])
