"""Checks whether cells that are drawn as important are: hides them, and measures the policy's move.

To hide a cell is to show blank stone there, as a cell shows of which nothing is known. How far the
policy moves is KL(policy || policy with the cells hidden), in nats.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3 import PPO
from torch import Tensor

from agents.inspection.saliency.importance import Importance
from agents.network.vector_parts import NO_GLYPH, STONE
from calm.errors import UsageError
from data.scoring.metrics import RESAMPLES

Observations = dict[str, Tensor]
CROP, LEVEL = "glyphs_crop", "glyphs"
"""Observation keys of the map whose cells are hidden; of an agent that sees both the crop's."""
DRAWS = 8
"""Sets of random cells for each observation; their mean is what the top cells are held against."""


@dataclass(frozen=True)
class Check:
    """How far the policy moves when a drawing's top cells are hidden, against random known cells.

    Means over observations. The interval is a bootstrap over episodes, since the observations of
    one are alike.
    """

    hidden: int
    """Cells that are hidden at once."""
    observations: int
    """Observations that were checked."""
    episodes: int
    """Episodes that they are of."""
    kl_top: float
    """Nats that the policy moves with the most important cells hidden."""
    kl_bottom: float
    """With the least important known cells hidden."""
    kl_random: float
    """With random known cells hidden."""
    more: float
    """kl_top - kl_random."""
    more_low: float
    more_high: float
    """95 % interval of `more`."""
    higher: float
    """Share of observations in which the top cells move the policy more than random ones do."""
    value_top: float
    """Mean absolute change of the value with the top cells hidden."""
    value_random: float
    """The same with random known cells hidden."""

    @property
    def verdict(self) -> str:
        """What the check shows about the drawing, in words."""
        if self.kl_bottom > self.kl_top:
            return (
                "the cells drawn as LEAST important matter more to the policy than those drawn as"
                " most important: do not read the drawing as what the agent acts on"
            )
        if self.more_low > 0:
            return "the cells drawn as important do matter more to the policy than random ones"
        if self.more_high < 0:
            return (
                "the cells drawn as important matter LESS to the policy than random ones:"
                " do not read the drawing as what the agent acts on"
            )
        return (
            "no difference from random cells is shown: do not read the drawing as what the agent"
            " acts on"
        )

    def lines(self) -> list[str]:
        """Returns the check as text."""
        return [
            f"hiding the {self.hidden} top cells moves the policy by KL {self.kl_top:.3g}, random"
            f" ones by {self.kl_random:.3g}, the {self.hidden} lowest by {self.kl_bottom:.3g}"
            f" (top less random {self.more:+.3g}, 95 % [{self.more_low:+.3g},"
            f" {self.more_high:+.3g}] over {self.episodes} episodes; more in {self.higher:.0%} of"
            f" {self.observations} observations), and the value by {self.value_top:.3g} against"
            f" {self.value_random:.3g}",
            self.verdict,
        ]


def check(
    model: PPO,
    batch: Observations,
    importance: Importance,
    episodes: npt.NDArray[np.int64],
    hide: int,
    seed: int,
) -> Check:
    """Hides the top, the lowest and random cells of B observations, and compares the effects.

    Args:
        model: the agent.
        batch: observations by key, (B, ...).
        importance: of their cells, (B, h, w).
        episodes: (B,), which episode an observation is of.
        hide: how many cells of each.
        seed: of the random cells and of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    known = known_cells(batch)
    shown = answers(model, batch)
    top, value_top = moved(model, batch, chosen(importance, known, hide, rng), shown)
    bottom, _ = moved(model, batch, chosen(-importance, known, hide, rng), shown)
    draws = [
        moved(model, batch, chosen(np.zeros_like(importance), known, hide, rng), shown)
        for _ in range(DRAWS)
    ]
    random = torch.stack([kl for kl, _ in draws]).mean(0)
    more = (top - random).double().cpu().numpy()
    low, high = interval(more, episodes, rng)
    return Check(
        hidden=hide,
        observations=len(more),
        episodes=len(np.unique(episodes)),
        kl_top=float(top.mean()),
        kl_bottom=float(bottom.mean()),
        kl_random=float(random.mean()),
        more=float(more.mean()),
        more_low=low,
        more_high=high,
        higher=float((more > 0).mean()),
        value_top=float(value_top.mean()),
        value_random=float(torch.stack([value for _, value in draws]).mean()),
    )


def interval(
    values: npt.NDArray[np.float64], episodes: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of the mean of values (B,), resampled by episode."""
    _, of = np.unique(episodes, return_inverse=True)
    sums, counts = np.bincount(of, values), np.bincount(of)
    drawn = rng.integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def map_key(keys: Container[str]) -> str:
    """Returns which of an agent's observation keys holds the map whose cells are hidden.

    Raises:
        UsageError: none does.
    """
    for key in (CROP, LEVEL):
        if key in keys:
            return key
    raise UsageError(f"the agent sees no map: none of its keys is {CROP} or {LEVEL}")


def maps(batch: Observations) -> Tensor:
    """Returns the glyphs of the maps that the policy acts on, (B, h, w)."""
    return batch["window_crop"][:, -1] if "window_crop" in batch else batch[map_key(batch)]


def known_cells(batch: Observations) -> Tensor:
    """Returns which cells are neither stone nor beyond the map, (B, h, w) bool."""
    glyphs = maps(batch)
    return (glyphs != STONE) & (glyphs != NO_GLYPH)


def occlusion(model: PPO, batch: Observations) -> Tensor:
    """Returns how far the policy moves when one cell is hidden, in nats, (B, h, w).

    0 where there is nothing to hide.
    """
    known, shown = known_cells(batch), answers(model, batch)
    moves = torch.zeros_like(maps(batch))
    for row, column in known.any(0).nonzero().tolist():
        rows = known[:, row, column].nonzero().flatten()
        seen = {key: values[rows] for key, values in batch.items()}
        cells = torch.zeros_like(known[rows])
        cells[:, row, column] = True
        before = Answers(*(values[rows] for values in shown))
        moves[rows, row, column] = moved(model, seen, cells, before)[0]
    return moves


class Answers(NamedTuple):
    """What an agent makes of B observations."""

    log_probs: Tensor
    """Of its actions, (B, A)."""
    values: Tensor
    """(B,)."""


def answers(model: PPO, batch: Observations) -> Answers:
    """Returns what an agent makes of observations by key, (B, ...)."""
    policy = model.policy
    with torch.no_grad():
        actor, critic = policy.mlp_extractor(policy.extract_features(batch))
        logits = policy.action_net(actor)
        return Answers(logits.log_softmax(-1), policy.value_net(critic).flatten())


def moved(model: PPO, batch: Observations, cells: Tensor, before: Answers) -> tuple[Tensor, Tensor]:
    """Returns KL(policy || policy with `cells` (B, h, w) hidden) and |change of value|, (B,).

    Args:
        model: the agent.
        batch: observations by key, (B, ...).
        cells: which are hidden, bool.
        before: what the agent makes of the batch with nothing hidden.
    """
    hidden = dict(batch)
    key = map_key(batch)
    hidden[key] = batch[key].masked_fill(cells, STONE)
    if "window_crop" in batch:
        last = batch["window_crop"].clone()
        last[:, -1] = last[:, -1].masked_fill(cells, STONE)
        hidden["window_crop"] = last
    after = answers(model, hidden)
    kl = (before.log_probs.exp() * (before.log_probs - after.log_probs)).sum(1)
    return kl, (before.values - after.values).abs()


def chosen(importance: Importance, known: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """Returns the `count` most important known cells, (B, h, w) bool; equals drawn at random."""
    flat = known.flatten(1).cpu().numpy()
    score = importance.reshape(flat.shape)
    first = np.where(flat, score, -np.inf)
    order = np.lexsort((rng.random(flat.shape), first), axis=1)[:, ::-1][:, :count]
    cells = np.zeros_like(flat)
    np.put_along_axis(cells, order, True, axis=1)
    return torch.as_tensor(cells & flat, device=known.device).view(known.shape)
