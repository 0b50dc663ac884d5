"""Random network distillation (Burda et al. 2018, arXiv 1810.12894), by torchrl's classes.

A target network with random weights that stay, and a predictor that learns to give the same:

    bonus(s') = mean((predictor(x) - target(x))^2) / std,    x = clip((s' - mean) / std, -5, 5)

What was seen often is predicted well and pays little, for the whole of training: novelty is
lifelong, not of an episode. mean and std are running ones, of every feature and of the bonus.

It is the paper's but for these: the bonus is divided by the running deviation of itself, as torchrl
does, not of its discounted sums; policy and value are the agent's own, so that bonus and reward
share one value and one discount; a state's features are random embeddings of its glyphs, which
stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor, nn
from torchrl.envs.transforms import RNDTransform
from torchrl.objectives import RNDLoss

from agents.bonus.learned import LearnedBonus
from envs.game.glyphs import NO_GLYPH
from envs.observer import Rows

EMBEDDING, WIDTH, DIM = 4, 128, 128
"""Numbers of a glyph, of a hidden layer, and of what is predicted."""
LEARNING_RATE = 1e-4


class RandomNetworkDistillation(LearnedBonus):
    """Pays for states by how badly a network predicts what a fixed random one says of them."""

    def _make(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        self._embedding = torch.randn(NO_GLYPH + 1, EMBEDDING)
        width = EMBEDDING * self.n_glyphs
        target = _network(width, deeper=False)
        predictor = _network(width, deeper=True)
        self._transform = RNDTransform(target, predictor)
        # The paper learns from a quarter of 128 environments' transitions, from all of up to 32.
        self._distillation = RNDLoss(predictor, target, update_fraction=1.0)
        return self._transform, torch.optim.Adam(predictor.parameters(), lr=LEARNING_RATE)

    def _begin(self, rows: Rows) -> None:
        """Keeps all: novelty is lifelong."""

    def _features(self, glyphs: Tensor) -> Tensor:
        """Returns the fixed embeddings of states (B, N), one after the other: (B, 4 N) float32."""
        return self._embedding[glyphs.long()].flatten(1)

    def _pay(self, glyphs: Tensor) -> Tensor:
        reached = TensorDict({"observation": self._features(glyphs)}, [len(glyphs)])
        self._transform._step(TensorDict({}, [len(glyphs)]), reached)
        bonus: Tensor = reached["intrinsic_reward"]
        return bonus.flatten()

    def _loss(self, before: Tensor, actions: Tensor, after: Tensor) -> Tensor:
        self._distillation.obs_rms = self._transform.obs_rms
        reached = TensorDict({"observation": self._features(after)}, [len(after)])
        loss: Tensor = self._distillation(TensorDict({"next": reached}, [len(after)]))[
            "loss_predictor"
        ]
        return loss

    def _own_state(self) -> dict[str, Any]:
        return {"embedding": self._embedding}

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        self._embedding = state["embedding"]


def _network(width: int, deeper: bool) -> nn.Sequential:
    """Returns a network from (B, width) to (B, DIM).

    The predictor is two layers deeper than the target, as in the paper.
    """
    layers: list[nn.Module] = [nn.Linear(width, WIDTH), nn.ReLU(), nn.Linear(WIDTH, DIM)]
    for _ in range(2 if deeper else 0):
        layers += [nn.ReLU(), nn.Linear(DIM, DIM)]
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.orthogonal_(layer.weight, 2**0.5)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)
