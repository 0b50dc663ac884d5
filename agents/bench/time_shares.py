"""Tells where the time of a training step goes: in products of matrices, or elsewhere.

Products are matrix products and convolutions with their gradients, computed by oneDNN or MKL: what
is left when all else has become free. From one rollout and its update on one thread, by torch's
profiler, which makes small operations dearer, and so the products' part too small. The first times
that it looks, memory is fetched from the system anew, which counts as the products' time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

PRODUCTS = frozenset(
    {
        "aten::addmm",
        "aten::baddbmm",
        "aten::bmm",
        "aten::convolution_backward",
        "aten::mkldnn_convolution",
        "aten::mm",
        "mkldnn::_linear_pointwise",
    }
)
"""Operations of torch that multiply matrices."""
WARMING_UP = 2
"""Looks that are not counted: of 24,000, 30,000 and 2,000 page faults in the first three."""


def time_spent(train: Callable[[], None]) -> dict[str, float]:
    """Returns the seconds that a rollout and its update take, by kind of work.

    `products`; `torch, other`: all other operations of torch; `outside torch`: environments,
    judging, kernels of our own, Python.

    Args:
        train: makes a rollout and its update, all on the calling thread; called several times.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or it tells stderr that it starts and stops
    for _ in range(1 + WARMING_UP):
        start = time.perf_counter()
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            train()
            whole = time.perf_counter() - start
    products = other = 0.0
    for operation in profiled.key_averages():
        if operation.key in PRODUCTS:
            products += operation.self_cpu_time_total / 1e6
        else:
            other += operation.self_cpu_time_total / 1e6
    outside = max(0.0, whole - products - other)
    return {"products": products, "torch, other": other, "outside torch": outside}
