"""Plays by a network that PPO trained half way, whose weights are arrays, and by NumPy alone.

The weights lie in `weights/`, each with what made them and how often they finish held-out levels
(`calm players train` writes both). The forward pass is in float64 and uses no torch, so that what
it plays is the same on any machine: logits are rounded to six digits, far above what the order of a
sum can change, before an action is drawn from the episode's own generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError, unknown
from calm.files import write_file
from envs.game.glyphs import (
    CARRIED,
    CARRIED_OF_GLYPH,
    COLUMNS,
    GROUND_OF_GLYPH,
    GROUNDS,
    NO_GLYPH,
    ROWS,
    THING,
    THING_OF_GLYPH,
    THINGS,
    WALLS,
)
from envs.tasks import task as find_task

Array = npt.NDArray[Any]
Weights = npt.NDArray[np.float64]

WEIGHTS = Path(__file__).parent / "weights"
FEATURE_KEYS = ("glyphs", "blstats", "inv_glyphs")
"""Observation keys that `features` takes, in its order."""
LAYERS = ("first", "second", "action")
"""Each has `.weight` (out, in) and `.bias` (out,); all but the last end in a ReLU."""

SOUGHT = ("key", "closed door", "open door", "staircase down")
"""Things of which the network observes the nearest: whether there is one, and which way."""
_THINGS = THINGS.index("altar")
"""Kinds of things that there were when the weights were trained."""
KINDS = _THINGS + len(GROUNDS) + 2
"""What a cell next to the hero can be: a thing, a ground, a wall, beyond the map."""
_WALL, _BEYOND = KINDS - 2, KINDS - 1
WIDTH = 5 * len(SOUGHT) + 8 * KINDS + 1
"""Numbers in the network's input."""
_AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def _kinds() -> npt.NDArray[np.int64]:
    """Returns what a cell next to the hero is by its glyph, see `KIND_OF_GLYPH`."""
    thing = np.where(THING_OF_GLYPH < _THINGS, THING_OF_GLYPH, 0)
    table = np.where(thing > 0, thing, _THINGS + GROUND_OF_GLYPH)
    table = table.astype(np.int64)
    table[list(WALLS)] = _WALL
    table[NO_GLYPH] = _BEYOND
    return table


KIND_OF_GLYPH = _kinds()
"""(MAX_GLYPH + 1,) int64 in 0 to KINDS - 1: what a cell next to the hero is, by glyph."""
KEY = CARRIED.index("key")


_ROW, _COLUMN = (a.ravel() for a in np.mgrid[:ROWS, :COLUMNS])


def features(glyphs: Array, blstats: Array, carried: Array) -> Weights:
    """Returns the network's input for B environments.

    For each of `SOUGHT`: whether one is on the map, then how far the nearest lies below and to the
    right of the hero, in eighths of a cell within [-1, 1], and the signs of the two. Then the kinds
    of the eight cells around, one of `KINDS` each. Then whether a key is carried.

    Args:
        glyphs: (B, 21, 79).
        blstats: (B, 27); the first two columns are the hero's x and y.
        carried: (B, 55) glyphs of the inventory.

    Returns:
        (B, WIDTH) float64 in [-1, 1].
    """
    b = len(glyphs)
    x, y = blstats[:, 0].astype(np.int64), blstats[:, 1].astype(np.int64)
    below, right = _ROW - y[:, None], _COLUMN - x[:, None]
    away = np.maximum(np.abs(below), np.abs(right))
    things = THING_OF_GLYPH[glyphs].reshape(b, -1)
    rows = np.arange(b)
    out = np.zeros((b, WIDTH))
    for i, name in enumerate(SOUGHT):
        distance = np.where(things == THING[name], away, ROWS + COLUMNS)
        nearest = distance.argmin(1)
        visible = distance[rows, nearest] < ROWS + COLUMNS
        way = np.stack([below[rows, nearest], right[rows, nearest]], 1) * visible[:, None]
        out[:, 5 * i] = visible
        out[:, 5 * i + 1 : 5 * i + 3] = (way / 8).clip(-1, 1)
        out[:, 5 * i + 3 : 5 * i + 5] = np.sign(way)
    map_ = np.pad(glyphs, ((0, 0), (1, 1), (1, 1)), constant_values=NO_GLYPH)
    for i, (dy, dx) in enumerate(_AROUND):
        kind = KIND_OF_GLYPH[map_[rows, y + 1 + dy, x + 1 + dx]]
        out[rows, 5 * len(SOUGHT) + i * KINDS + kind] = 1
    out[:, -1] = (CARRIED_OF_GLYPH[carried] == KEY).any(1)
    return out


Network = Mapping[str, Weights]
"""The arrays of one trained network, in float64: `first.weight`, `first.bias`, ..."""


def logits(network: Network, inputs: Weights) -> Weights:
    """Returns the logit of each action, (A,), for features (WIDTH,)."""
    x = inputs
    for layer in LAYERS:
        x = network[f"{layer}.weight"] @ x + network[f"{layer}.bias"]
        x = x if layer == LAYERS[-1] else np.maximum(x, 0.0)
    return x


def trained_tasks() -> list[str]:
    """Returns the tasks for which weights are shipped, by MiniHack's id."""
    return sorted(p.stem for p in WEIGHTS.glob("MiniHack-*.npz"))


def load_network(path: Path) -> Network:
    """Reads a network that `save_network` wrote; no pickled object is ever loaded.

    Raises:
        UsageError: the file is not such a network.
    """
    names = {f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias")}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name].astype(np.float64) for name in file.files}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as a network's arrays: {error}") from error
    if set(arrays) != names or arrays["first.weight"].shape[1:] != (WIDTH,):
        raise UsageError(
            f"{path}: expected {sorted(names)}, of {WIDTH} inputs; got {sorted(arrays)}"
        )
    return arrays


def save_network(path: Path, network: Network) -> None:
    """Writes a network's arrays in float32, compressed."""
    arrays: dict[str, Any] = {name: a.astype(np.float32) for name, a in network.items()}
    write_file(path, lambda partial: np.savez_compressed(partial, **arrays))


class HalfTrained:
    """Draws each action from the network's probabilities.

    Args:
        task_id: one of `trained_tasks()`.
        network: to play by; None for the one that is shipped for the task.

    Raises:
        UsageError: no weights are shipped for this task.
    """

    name = "half-trained"

    def __init__(self, task_id: str, network: Network | None = None) -> None:
        known = find_task(task_id).id
        path = WEIGHTS / f"{known}.npz"
        if network is None:
            if not path.is_file():
                raise unknown("task with a half-trained player", known, trained_tasks())
            network = load_network(path)
        self._network = network
        self._rng = np.random.default_rng(0)

    def begin(self, rng: np.random.Generator) -> None:
        """Starts a new episode; all chance in it comes from `rng`."""
        self._rng = rng

    def act(self, arrays: Mapping[str, Array]) -> int:
        """Returns the index of the next action, from one environment's arrays."""
        inputs = features(*(arrays[key][None] for key in FEATURE_KEYS))[0]
        scores = np.round(logits(self._network, inputs), 6)
        share = np.exp(scores - scores.max())
        point = self._rng.random() * share.sum()
        return min(int(np.searchsorted(np.cumsum(share), point)), len(share) - 1)
