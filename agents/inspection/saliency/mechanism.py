"""Reads where an encoder attends from its own mechanism.

Agents' gathering, Gaussian weights, the gates of the scan's routes and softmax's rows are weights
of cells; of class-semantics attention the steps of its window have gates, and cells none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3 import PPO
from torch import Tensor

from agents.inspection.saliency.occlusion import Observations, map_key, maps
from agents.network.glyph_map import MapEncoder
from agents.network.history import WindowEncoder

SCANNED = (
    "How much of what the routes gather passes the gate at each cell: a volume, not a choice among"
    " cells."
)
MEANING = {
    "gaussian": "Gaussian weights are high where a cell's features are typical of the map: of a"
    " room they mark the floor, not what stands on it.",
    "agent": "How much each cell is looked at through the agents, the mean over all cells that"
    " look. What is read out are the cells themselves, of which this is one part.",
    "scan": SCANNED,
    "gated-scan": SCANNED,
    "softmax": "How much each cell is looked at, the mean over all cells that look.",
    "pooled": "How much each cell is looked at through the bin that it is pooled in, the mean over"
    " all cells that look; cells of one bin share alike.",
}
"""How to read the mechanism's drawing."""


def attended(model: PPO, batch: Observations) -> Tensor | None:
    """Returns the mechanism's weight of each cell, (B, h, w); None where it has no weights.

    For Gaussian attention its weights, of which `stretched` makes the Importance Factor. Of a
    mechanism on every second cell, or on every fourth as of a whole level, a cell between two
    tokens gets the mean of both.
    """
    extractor = model.policy.features_extractor
    key = map_key(batch)
    part = dict(extractor.parts.items()).get(key)
    if not isinstance(part, MapEncoder) or part.mix is None:
        return None
    look: Callable[[Tensor, Tensor], Tensor] | None
    look = getattr(part.mix.mechanism, "attention_map", None)
    if look is None:
        return None
    with torch.no_grad():
        _, joining = extractor.beside_maps(batch)
        tokens, mask = part.tokens(part.cells(batch[key]), part.known(batch[key]), *joining)
        on_map = look(part.mix.prepared(tokens), mask)[:, part.extra :]
    weights = on_map.unflatten(1, part.grid)
    cells = maps(batch).shape[1:]
    if not part.fine:
        weights = spread(weights, halved(cells) if part.stride == 2 else cells)
    return spread(weights, cells) if part.stride == 2 else weights


def halved(shape: Sequence[int]) -> list[int]:
    """Returns the rows and columns of every second cell of a map."""
    return [-(-size // 2) for size in shape]


def spread(weights: Tensor, shape: Sequence[int]) -> Tensor:
    """Spreads weights (B, rows, columns) of every second cell over all cells (B, h, w) of `shape`.

    Token j is centred on cell 2 j; cell 2 j + 1 lies between tokens j and j + 1.
    """
    for axis, size in ((1, shape[0]), (2, shape[1])):
        at = torch.arange(size, device=weights.device)
        after = ((at + 1) // 2).clamp_max(weights.shape[axis] - 1)
        weights = (weights.index_select(axis, at // 2) + weights.index_select(axis, after)) / 2
    return weights


def step_gates(model: PPO, batch: Observations) -> npt.NDArray[np.float32] | None:
    """Returns the gate of each step of the window, (T,) in (0, 1), mean over observations.

    None where steps have no gates.
    """
    window = model.policy.features_extractor.parts["window"]
    assert isinstance(window, WindowEncoder)
    with torch.no_grad():
        gates = window.gates(batch["semantics"], batch["window_valid"])
    if gates is None:
        return None
    mean: npt.NDArray[np.float32] = gates[1].mean(0).cpu().numpy()
    return mean
