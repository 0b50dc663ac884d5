"""Computes the selective scan in a few whole-tensor steps, for exported programs.

A step of the recurrence, h_t = a_t h_{t-1} + b_t, is the pair (a_t, b_t), and two steps one after
the other are again such a pair, (a_s a_t, a_t b_s + b_t). So after ⌈log₂ L⌉ rounds, in each of
which every position takes in the one 1, 2, 4, ... places before it (Hillis and Steele 1986), b_t is
h_t. No position is looped over and no kernel of ours is called: a program that `torch.export`
writes from it runs where this package is not. Decays multiply, and one that leaves float32's range
becomes 0, as it should; nothing is ever divided by it.

It keeps every state of every step, which training could not afford.
"""

from __future__ import annotations

import torch
from torch import Tensor


def scan_map(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    order: Tensor | None = None,
    back: Tensor | None = None,
) -> Tensor:
    """Returns what `agents.encoders.selective_scan.scan_map` returns, of the same arguments."""
    u = u.unsqueeze(3).expand_as(delta)
    if order is not None:
        u, delta, B, C = (_taken(x, order) for x in (u, delta, B, C))
    decay = torch.exp(delta.unsqueeze(-1) * A)  # (batch, cells, heads, K, size, state)
    h = (delta * u).unsqueeze(-1) * B.unsqueeze(-2)
    reach = 1
    while reach < u.shape[1]:
        h = torch.cat([h[:, :reach], decay[:, reach:] * h[:, :-reach] + h[:, reach:]], dim=1)
        decay = torch.cat([decay[:, :reach], decay[:, reach:] * decay[:, :-reach]], dim=1)
        reach *= 2
    y = (h * C.unsqueeze(-2)).sum(-1)
    return y if back is None else _taken(y, back)


def _taken(x: Tensor, index: Tensor) -> Tensor:
    """Returns x (batch, cells, heads, K, d) with the cells of each route in another order.

    Args:
        x: in one order.
        index: (heads, K, cells) int64, which of its cells comes at each place.
    """
    at = index.permute(2, 0, 1).unsqueeze(-1).unsqueeze(0)
    return x.gather(1, at.expand_as(x))
