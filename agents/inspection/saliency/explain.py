"""Draws where a trained agent looks, and checks whether the drawing means something.

Two drawings of every situation. Where an encoder attends is read from its mechanism (agents'
gathering, Gaussian weights, the gates of the scan's routes, softmax rows); encoders without such
weights have none. What the agent acts on is measured by occlusion: how far the policy moves when
that cell alone is hidden.

Both are checked alike (`occlusion`): hiding the cells drawn as most important must move the policy
more than hiding as many random known cells, or the drawing means nothing. Where there is a judge,
`by_stage` tells what is important between its subgoals, and `by_subgoal` how importance moves with
each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.inspection.saliency import by_stage, by_subgoal
from agents.inspection.saliency.by_stage import Stage, stages
from agents.inspection.saliency.by_subgoal import Progress, Shift, Values, shifts
from agents.inspection.saliency.explain_page import (
    FOLDER,
    PAGE,
    SUMMARY,
    PageTable,
    image,
    time_image,
    write_page,
)
from agents.inspection.saliency.importance import (
    Importance,
    by_kind,
    kinds_of,
    means_by_kind,
    stretched,
)
from agents.inspection.saliency.mechanism import MEANING, attended, step_gates
from agents.inspection.saliency.observed import Observed, observed
from agents.inspection.saliency.occlusion import (
    CROP,
    Check,
    Observations,
    check,
    known_cells,
    map_key,
    maps,
    occlusion,
)
from agents.training.environment import subgoals_of_run
from agents.training.run.folder import Run
from calm.errors import UsageError


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
        UsageError: no run, no checkpoint, an agent that sees no map, or a crop of no more than
            `hide` cells.
    """
    run = Run.open(folder)
    side = run.config.crop
    if map_key(run.config.keys) == CROP and hide >= side**2:
        raise UsageError(
            f"hiding {hide} cells leaves nothing of a crop of {side} x {side}; name fewer with"
            " --hide"
        )
    run.check_writable(PAGE, f"{FOLDER}/{SUMMARY}", "report.html")
    model, seen = observed(run, observations, seed)
    batch, episodes = seen.batch, seen.episodes
    moves = occlusion(model, batch)
    sources = {"mechanism": attended(model, batch), "occlusion": moves}
    known = known_cells(batch)
    importances = {
        source: stretched(weights, known)
        for source, weights in sources.items()
        if weights is not None
    }

    progress = progress_of(run, batch, episodes)
    strongest = moves.double().flatten(1).amax(1).cpu().numpy()
    kinds = kinds_of(maps(batch), seen.hero)
    drawings = [
        Drawing(
            source,
            check(model, batch, importance, episodes, hide, seed),
            by_kind(importance, kinds),
            *through_subgoals(means_by_kind(importance, kinds), strongest, progress, seed),
        )
        for source, importance in importances.items()
    ]

    images = situations_of(importances, seen, situations)
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


def progress_of(run: Run, batch: Observations, episodes: npt.NDArray[np.int64]) -> Progress | None:
    """Returns what the judge of a run says was achieved by each observation; None without one.

    Args:
        run: the agent's.
        batch: its observations.
        episodes: (B,), which episode an observation is of.
    """
    if "progress" not in batch:
        return None
    names = [subgoal.name for subgoal in subgoals_of_run(run)]
    return Progress(names, batch["progress"].cpu().numpy() >= 1, episodes)


def through_subgoals(
    means: Mapping[str, Values], strongest: Values, progress: Progress | None, seed: int
) -> tuple[list[Shift], list[Stage]]:
    """Returns how importance moves with each subgoal, and what is important at each stage.

    Args:
        means: importance (B,) of an observation's cells of each kind, as `means_by_kind` has it.
        strongest: nats that hiding an observation's strongest cell moves the policy, (B,).
        progress: None returns neither.
        seed: of the bootstraps.
    """
    if progress is None:
        return [], []
    return shifts(means, progress, seed), stages(means, strongest, progress, seed)


def situations_of(
    importances: Mapping[str, Importance], seen: Observed, count: int
) -> dict[str, bytes]:
    """Returns PNGs of each source's mean and of some observations alike, by name.

    Args:
        importances: of the cells (B, h, w), by source.
        seen: the observations.
        count: of those that are drawn.
    """
    images = {}
    chars = seen.chars[:, *seen.frame]
    examples = np.linspace(0, len(chars) - 1, min(count, len(chars))).astype(int)
    for source, whole in importances.items():
        importance = whole[:, *seen.frame]
        images[f"{source}-mean"] = image(None, importance.mean(0), f"{source}, mean over all")
        for n, i in enumerate(examples):
            images[f"{source}-{n}"] = image(chars[i], importance[i], f"{source}, observation {i}")
    return images
