"""Computes softmax attention forward and backward on a CPU, in C (`attend.c`).

Where it can't be compiled, and where the environment says CALM_NATIVE=0, `plain.py` does the same
in torch.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from agents.encoders.compiled import load, threads_for

SOURCE = Path(__file__).with_name("attend.c")
MOST_KEYS = 512
"""Keys beyond which torch's own kernels do it: of 1,659 they take about as long."""
SLICES = 8
"""Parts of a batch that threads may share out, whatever their number."""


class Terms(NamedTuple):
    """Queries, keys and values, with a bias for each pair and which rows count."""

    q: Tensor
    """(batch, queries, heads, size)."""
    k: Tensor
    """(batch, keys, heads, size)."""
    v: Tensor
    """As the keys."""
    bias: Tensor | None
    """(heads, queries, keys), added to the scores."""
    key_mask: Tensor | None
    """(batch, keys) bool, which keys count; None for all."""
    query_mask: Tensor | None
    """(batch, queries) bool, which queries count; None for all."""


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
        *((name, ctypes.c_void_p) for name in ("query_mask", "key_mask", "bias")),
        *((name, _Strided) for name in ("q", "k", "v", "out")),
        ("normalisers", ctypes.c_void_p),
        *((name, _Strided) for name in ("d_out", "dq", "dk", "dv")),
        ("d_bias", ctypes.c_void_p),
    )


@cache
def library(dtype: torch.dtype) -> ctypes.CDLL | None:
    """Returns the kernels for a type; None, with one line in the log, where they can't be built."""
    return load(SOURCE, dtype)


def forward(terms: Terms, for_backward: bool) -> tuple[Tensor, Tensor]:
    """Returns `attend` of these, and what `backward` needs (nothing unless `for_backward`)."""
    call = _Call(terms)
    q = terms.q
    batch, queries, heads, _ = q.shape
    out = q.new_empty(q.shape)
    normalisers = q.new_empty((batch, heads, 2, queries) if for_backward else 0)
    call.job.out = _strided(out)
    call.job.normalisers = normalisers.data_ptr() if for_backward else None
    call.run(backward=False)
    return out, normalisers


def backward(
    d_out: Tensor, terms: Terms, out: Tensor, normalisers: Tensor, bias_learns: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Returns the gradients of q, k, v and the bias (None unless it learns).

    Args:
        d_out: the gradient of `out`.
        terms: as for `forward`.
        out, normalisers: what `forward` has returned.
        bias_learns: whether its gradient is wanted.
    """
    call = _Call(terms)
    d_out = d_out if d_out.stride(-1) == 1 else d_out.contiguous()
    dq, dk, dv = (x.new_empty(x.shape) for x in terms[:3])
    d_bias = None
    if terms.bias is not None and bias_learns:
        d_bias = terms.bias.new_empty(call.job.slices, *terms.bias.shape)
        call.job.d_bias = d_bias.data_ptr()
    call.job.out, call.job.normalisers = _strided(out), normalisers.data_ptr()
    call.job.d_out, call.job.dq, call.job.dk, call.job.dv = map(_strided, (d_out, dq, dk, dv))
    call.run(backward=True)
    return dq, dk, dv, None if d_bias is None else d_bias.sum(0)


class _Call:
    """A job, with the tensors that it points to."""

    def __init__(self, terms: Terms) -> None:
        batch, queries, heads, size = terms.q.shape
        keys = terms.k.shape[1]
        self.dtype = terms.q.dtype
        rows = [x if x.stride(-1) == 1 else x.contiguous() for x in terms[:3]]
        others = [None if x is None else x.contiguous() for x in terms[3:]]
        self.held = [*rows, *others]
        self.job = _Job(batch, heads, queries, keys, size, min(SLICES, max(batch, 1)), size**-0.5)
        self.job.q, self.job.k, self.job.v = map(_strided, rows)
        self.job.bias, self.job.key_mask, self.job.query_mask = (
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
