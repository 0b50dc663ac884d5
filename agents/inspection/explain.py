"""Draws where a trained agent looks, and checks whether the drawing means something.

Two drawings of every situation. Where an encoder attends is read from its mechanism (agents'
gathering, Gaussian weights, the gates of the scan's routes, softmax rows); encoders without such
weights have none. What the agent acts on is measured by occlusion: how far the policy moves when
that cell alone is hidden.

Both are checked alike (`agents.inspection.occlusion`): hiding the cells drawn as most important
must move the policy more than hiding as many random known cells, or the drawing means nothing.
Where there is a judge, `agents.inspection.by_stage` tells what is important between its subgoals,
and `agents.inspection.by_subgoal` how importance moves with each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.inspection import by_stage, by_subgoal
from agents.inspection.by_stage import Stage, stages
from agents.inspection.by_subgoal import Shift, Values, shifts
from agents.inspection.explain_page import (
    FOLDER,
    PAGE,
    SUMMARY,
    PageTable,
    image,
    time_image,
    write_page,
)
from agents.inspection.load import trained
from agents.inspection.occlusion import (
    CROP,
    Check,
    Importance,
    Observations,
    check,
    crops,
    known_cells,
    occlusion,
)
from agents.network.glyph_map import MapEncoder
from agents.network.history import WindowEncoder
from agents.training.environment import subgoals_of_run
from agents.training.run.folder import Run
from calm.errors import UsageError
from envs.game.glyphs import GROUPS, STONE, group_of

CHARS = "chars_crop"
"""Observation key of the characters that are drawn."""
N_ENVS = 8
"""Environments that the agent plays."""
KINDS = (("walls", 1), ("doors", 12), ("bars and trees", 17), ("floor", 19), ("stairs", 23))
"""Dungeon features, by the first of nle's map symbols of that kind (`defsym.h`)."""
OTHER = ("other features", 27)
"""All dungeon features from this map symbol on."""
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


@dataclass(frozen=True)
class Drawing:
    """Importance of cells by one source, and whether it means something."""

    source: str
    """`mechanism` or `occlusion`."""
    check: Check
    by_kind: dict[str, float]
    """Importance (0 to 1 in each observation) by kind of cell: mean over its cells."""
    by_subgoal: list[Shift]
    """How importance moves when a subgoal is achieved; none without a judge."""
    by_stage: list[Stage]
    """What is important while a subgoal is the furthest achieved; none without a judge."""

    def lines(self, tabled: bool = False) -> list[str]:
        """Returns the check and the importance by kind of cell as text.

        Args:
            tabled: whether the stages stand in a table elsewhere.
        """
        kinds = ", ".join(f"{name} {value:.2f}" for name, value in self.by_kind.items())
        return [
            *self.check.lines(),
            f"importance by kind of cell: {kinds}",
            *by_stage.lines(self.by_stage, tabled),
            *by_subgoal.lines(self.by_subgoal),
        ]


@dataclass(frozen=True)
class Explanation:
    """The drawings of one run's agent, their checks, and the files that hold them."""

    run: str
    encoder: str
    drawings: list[Drawing]
    """The mechanism's first, where it has one."""
    files: list[str]
    """PNGs, and the page that holds them."""

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields as plain values, with the verdict of each check."""
        importances = asdict(self)
        for values, drawing in zip(importances["drawings"], self.drawings, strict=True):
            values["check"]["verdict"] = drawing.check.verdict
            for shift in values["by_subgoal"]:
                for name in ("before", "after", "more"):
                    shift[name] = shift[name] and shift[name]._asdict()
            for stage in values["by_stage"]:
                of = stage["importance"]
                stage["importance"] = {kind: one and one._asdict() for kind, one in of.items()}
        return importances

    def lines(self, tabled: bool = False) -> list[str]:
        """Returns the summary as text; `tabled` as of a drawing."""
        lines = []
        for drawing in self.drawings:
            by = "its mechanism" if drawing.source == "mechanism" else drawing.source
            lines.append(f"{self.encoder}, importance by {by}:")
            if drawing.source == "mechanism" and self.encoder in MEANING:
                lines.append(MEANING[self.encoder])
            lines += drawing.lines(tabled)
        return lines


def explain_run(
    folder: Path, situations: int = 6, observations: int = 512, hide: int = 8, seed: int = 0
) -> Explanation:
    """Draws where the agent of a run looks, and checks the drawings; writes into its folder.

    Args:
        folder: of the run.
        situations: observations to draw.
        observations: to average over, and to check on.
        hide: cells that the check hides.
        seed: of the levels and of the random cells.

    Raises:
        UsageError: no run, no checkpoint, an agent that does not see the crop, or that crop has
            no more than `hide` cells.
    """
    run = Run.open(folder)
    if hide >= run.config.crop**2:
        raise UsageError(
            f"hiding {hide} cells leaves nothing of a crop of {run.config.crop} x"
            f" {run.config.crop}; name fewer with --hide"
        )
    run.check_writable(PAGE, f"{FOLDER}/{SUMMARY}", "report.html")
    model, batch, chars, episodes = recorded(run, observations, seed)
    importances: dict[str, Importance] = {}
    if (weights := attended(model, batch)) is not None:
        importances["mechanism"] = stretched(weights, known_cells(batch))
    moves = occlusion(model, batch)
    importances["occlusion"] = stretched(moves, known_cells(batch))

    names = [subgoal.name for subgoal in subgoals_of_run(run)] if "progress" in batch else []
    strongest = moves.double().flatten(1).amax(1).cpu().numpy()
    drawings = []
    for source, importance in importances.items():
        checked = check(model, batch, importance, episodes, hide, seed)
        shifted: list[Shift] = []
        found: list[Stage] = []
        if names:
            means = means_by_kind(importance, crops(batch))
            achieved = batch["progress"].cpu().numpy() >= 1
            shifted = shifts(means, achieved, names, episodes, seed)
            found = stages(means, strongest, achieved, names, episodes, seed)
        kinds = by_kind(importance, crops(batch))
        drawings.append(Drawing(source, checked, kinds, shifted, found))

    images = situations_of(importances, chars, situations)
    if run.config.encoder == "semantics" and (gates := step_gates(model, batch)) is not None:
        images["steps"] = time_image(gates)
    explanation = Explanation(
        str(folder),
        run.config.encoder,
        drawings,
        [*(str(folder / FOLDER / f"{name}.png") for name in images), str(folder / PAGE)],
    )
    tables = [
        PageTable(f"{drawing.source}, by stage", *by_stage.rows(drawing.by_stage))
        for drawing in drawings
        if drawing.by_stage
    ]
    write_page(folder, explanation.lines(tabled=True), images, tables)
    return explanation


def situations_of(
    importances: Mapping[str, Importance], chars: npt.NDArray[np.uint8], count: int
) -> dict[str, bytes]:
    """Returns PNGs of each source's mean and of some observations alike, by name.

    Args:
        importances: of the cells (B, h, w), by source.
        chars: the crops' characters, (B, h, w).
        count: of the observations that are drawn.
    """
    images = {}
    examples = np.linspace(0, len(chars) - 1, min(count, len(chars))).astype(int)
    for source, importance in importances.items():
        images[f"{source}-mean"] = image(None, importance.mean(0), f"{source}, mean over all")
        for n, i in enumerate(examples):
            images[f"{source}-{n}"] = image(chars[i], importance[i], f"{source}, observation {i}")
    return images


def recorded(
    run: Run, count: int, seed: int
) -> tuple[PPO, Observations, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Returns the run's agent, and its observations on held-out levels as `record` returns them.

    Raises:
        UsageError: the agent remembers more than its observation, or does not see the crop.
    """
    config = run.config
    if config.memory == "lstm":
        raise UsageError(
            "calm explain can't show agents with memory=lstm: it hides cells of one observation,"
            " and says nothing of what was kept of those before"
        )
    if CROP not in config.keys:
        raise UsageError(f"{run.folder}: only agents that see {CROP} can be explained so far")
    with trained(run, N_ENVS, seed, keys=(CHARS,)) as (model, env, *_):
        return model, *record(model, env, count)


def record(
    model: PPO, env: VecEnv, count: int
) -> tuple[Observations, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Returns observations of the policy's own play, every third step.

    Returns:
        By key (count, ...); the crops' characters (count, h, w); which episode each is of (count,).
    """
    torch.manual_seed(0)
    observations: list[dict[str, npt.NDArray[Any]]] = []
    episodes: list[npt.NDArray[np.int64]] = []
    observation = env.reset()
    episode = np.arange(env.num_envs)
    for step in range(-(-count // env.num_envs) * 3):
        assert isinstance(observation, dict)
        if step % 3 == 0:
            observations.append({key: value.copy() for key, value in observation.items()})
            episodes.append(episode.copy())
        actions, _ = model.predict(observation, deterministic=False)
        observation, _, dones, _ = env.step(actions)
        episode[dones] += env.num_envs
    whole = {key: np.concatenate([o[key] for o in observations])[:count] for key in observations[0]}
    chars = whole.pop(CHARS)
    batch = {k: torch.as_tensor(v).float().to(model.device) for k, v in whole.items()}
    return batch, chars, np.concatenate(episodes)[:count]


def attended(model: PPO, batch: Observations) -> Tensor | None:
    """Returns the mechanism's weight of each cell, (B, h, w); None where it has no weights.

    For Gaussian attention its weights, of which `stretched` makes the Importance Factor. Of a
    mechanism on every second cell, a cell between two tokens gets the mean of both.
    """
    extractor = model.policy.features_extractor
    part = dict(extractor.parts.items()).get(CROP)
    if not isinstance(part, MapEncoder) or part.mix is None:
        return None
    look: Callable[[Tensor, Tensor], Tensor] | None
    look = getattr(part.mix.mechanism, "attention_map", None)
    if look is None:
        return None
    with torch.no_grad():
        _, joining = extractor.beside_maps(batch)
        tokens, mask = part.tokens(part.cells(batch[CROP]), part.known(batch[CROP]), *joining)
        on_map = look(part.mix.prepared(tokens), mask)[:, part.extra :]
    weights = on_map.unflatten(1, part.grid)
    return weights if part.fine else spread(weights, crops(batch).shape[1:])


def spread(weights: Tensor, shape: Sequence[int]) -> Tensor:
    """Spreads weights (B, rows, columns) of every second cell over all cells (B, h, w) of `shape`.

    Token j is centred on cell 2 j; cell 2 j + 1 lies between tokens j and j + 1.
    """
    for axis, size in ((1, shape[0]), (2, shape[1])):
        at = torch.arange(size, device=weights.device)
        after = ((at + 1) // 2).clamp_max(weights.shape[axis] - 1)
        weights = (weights.index_select(axis, at // 2) + weights.index_select(axis, after)) / 2
    return weights


def stretched(weights: Tensor, known: Tensor) -> Importance:
    """Returns weights (B, h, w) stretched to [0, 1] over each crop's known cells, 0 elsewhere."""
    low = weights.masked_fill(~known, torch.inf).amin((1, 2), keepdim=True)
    high = weights.masked_fill(~known, -torch.inf).amax((1, 2), keepdim=True)
    whole = (weights - low) / (high - low).clamp_min(1e-12)
    importance: Importance = torch.where(known, whole, 0.0).double().cpu().numpy()
    return importance


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


def means_by_kind(importance: Importance, glyphs: Tensor) -> dict[str, Values]:
    """Returns the mean importance (B,) of an observation's cells of each kind, NaN where none is.

    Args:
        importance: of the cells, (B, h, w).
        glyphs: of the game, (B, h, w).
    """
    kinds, names = kinds_of(glyphs)
    means = {}
    for i, name in names.items():
        cells = kinds == i
        if cells.any():
            counts = cells.sum((1, 2))
            sums = np.where(cells, importance, 0).sum((1, 2))
            means[name] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def by_kind(importance: Importance, glyphs: Tensor) -> dict[str, float]:
    """Returns the mean importance of the cells of each kind that was in sight, largest first."""
    kinds, names = kinds_of(glyphs)
    importances = {
        name: float(importance[kinds == i].mean())
        for i, name in names.items()
        if (kinds == i).any()
    }
    return dict(sorted(importances.items(), key=lambda item: -item[1]))


def kinds_of(glyphs: Tensor) -> tuple[npt.NDArray[np.int64], dict[int, str]]:
    """Returns the kind of each cell (B, h, w), and the kinds' names.

    Kinds are nle's groups of glyphs, dungeon features told apart, and the hero, in the middle.
    """
    ids = glyphs.long().cpu().numpy()
    kinds = group_of(ids)
    names = [name for name, _ in GROUPS]
    ground = names.index("dungeon features")
    starts = [first for _, first in (*KINDS, OTHER)]
    finer = np.searchsorted(starts, ids - STONE, "right") - 1
    kinds = np.where(kinds == ground, len(names) + 1 + finer, kinds)
    kinds[:, ids.shape[1] // 2, ids.shape[2] // 2] = -1
    names += ["", *(name for name, _ in (*KINDS, OTHER))]
    return kinds, {-1: "hero"} | {i: name for i, name in enumerate(names) if name}
