"""Scans a sequence, or a map along routes, selectively (Mamba): `selective_scan` and `scan_map`.

`autograd` holds the two functions, differentiable; their kernels are in `native` (C), `plain`
(torch) and `cuda` (Triton). `doubling` is what an exported program holds in their place.
"""

from agents.encoders.selective_scan.autograd import scan_map, selective_scan

__all__ = ["scan_map", "selective_scan"]
