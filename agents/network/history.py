"""Encodes the last steps, gated by the judge's answers about them and by what was in sight.

The crops of the window are each encoded as the CNN encodes one; class-semantics attention
(`agents.encoders.semantics`) then weighs their features over channels and over time, with gates
learned from the semantics alone. The output is the features of the last step and the window's mean.
What the gates are learned from can be less than all semantics, to tell what each part brings.

Everything is part of the observation (`envs.interfaces.history`), so PPO's update sees what the
rollout saw.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agents.encoders.semantics import ClassSemanticsAttention
from agents.encoders.squeeze import SqueezeExcitation
from agents.network.glyph_map import MapEncoder, Unchanged
from agents.network.kernels.minibatch_chunks import Repeated
from agents.network.names import GATES
from agents.network.subgoal_words import WORDS, hashed_words
from calm.errors import UsageError, unknown

WINDOW_KEYS = ("window_crop", "semantics", "window_valid")
"""Observation keys that `WindowEncoder` takes, in its order."""


class WindowEncoder(nn.Module):
    """Encodes crops (B, T, h, w), semantics (B, C, T), validity (B, T) as (B, 2 * width) features.

    The gates are learned from

        all     the judge's answers about each subgoal, and what was in sight
        judged  the answers alone
        words   the answers, each as the hashed words of its subgoal, added up
        seen    what was in sight alone
        none    no semantics: squeeze-and-excitation, gates of the features' own means over time

    Args:
        embedding: of glyphs.
        shape: (T, h, w).
        classes: C; the subgoals' come first.
        width: features of each step.
        subgoals: how many of the classes they are.
        gates: what the gates are learned from, one of the above.
        names: of the subgoals, for `words`; a policy's weights hold what was made of them.

    Raises:
        UsageError: no such gates, or gates by subgoals where there are none.
    """

    words: Tensor

    def __init__(
        self,
        embedding: nn.Embedding,
        shape: Sequence[int],
        classes: int,
        width: int,
        subgoals: int = 0,
        gates: str = "all",
        names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        window, height, columns = shape
        if gates not in GATES:
            raise unknown("gates of the encoder semantics", gates, GATES)
        if gates in ("judged", "words") and not subgoals:
            raise UsageError(f"gates={gates} are learned from a judge's answers; name a judge")
        self.subgoals, self.learned_from = subgoals, gates
        self.crops = MapEncoder(embedding, (height, columns), width)
        if gates == "words":
            hashed = hashed_words(names) if names else torch.zeros(subgoals, WORDS)
            self.register_buffer("words", hashed)
        inputs = {"judged": subgoals, "words": WORDS, "seen": classes - subgoals}.get(
            gates, classes
        )
        mechanism: nn.Module = (
            SqueezeExcitation(width)
            if gates == "none"
            else ClassSemanticsAttention(inputs, width, window)
        )
        self.attention = Unchanged(mechanism)
        self.scale = nn.Parameter(torch.full((width, 1), 0.1))  # near the identity at first
        self.out = 2 * width

    def forward(self, crops: Tensor | Repeated, semantics: Tensor, valid: Tensor) -> Tensor:
        """Returns features (B, 2 * width); no gradient flows back into the semantics."""
        real = valid > 0
        steps = each(self.crops, crops)
        features = (steps * real.unsqueeze(-1)).transpose(1, 2)
        if self.learned_from == "none":
            gated = self.attention.module(features.transpose(1, 2), real).transpose(1, 2)
        else:
            gated = self.attention.module(self._read(semantics.detach()), features, real)
        features = features + self.scale * gated
        mean = features.sum(2) / real.sum(1, keepdim=True).clamp_min(1)
        return torch.cat([features[:, :, -1], mean], dim=1)

    def gates(self, semantics: Tensor, valid: Tensor) -> tuple[Tensor, Tensor] | None:
        """Returns the gates of channels (B, width) and of steps (B, T), each in (0, 1).

        None where they are not learned from semantics.
        """
        attention = self.attention.module
        if not isinstance(attention, ClassSemanticsAttention):
            return None
        return attention.gates(self._read(semantics), valid > 0)

    def _read(self, semantics: Tensor) -> Tensor:
        """Returns the part of the semantics (B, C, T) that the gates are learned from."""
        judged, seen = semantics.split([self.subgoals, semantics.shape[1] - self.subgoals], dim=1)
        if self.learned_from == "words":
            # An unreadable answer, -1, is no yes.
            added: Tensor = judged.clamp_min(0).transpose(1, 2) @ self.words
            return added.transpose(1, 2)
        if self.learned_from == "all":
            return semantics
        part: Tensor = judged if self.learned_from == "judged" else seen
        return part


class PastEncoder(nn.Module):
    """Encodes the crops of the steps before the present one, each by a CNN, side by side.

    Args:
        embedding: of glyphs.
        shape: (T, h, w), T >= 2.
        width: features of each step.
    """

    def __init__(self, embedding: nn.Embedding, shape: Sequence[int], width: int) -> None:
        super().__init__()
        window, height, columns = shape
        self.crops = MapEncoder(embedding, (height, columns), width)
        self.out = (window - 1) * width

    def forward(self, crops: Tensor | Repeated, valid: Tensor) -> Tensor:
        """Returns features (B, (T - 1) * width) of crops (B, T, h, w); 0 before an episode's start.

        Args:
            crops: the present one last.
            valid: (B, T), above 0 for steps of this episode.
        """
        if isinstance(crops, Repeated):
            steps = each(self.crops, crops)[:, :-1]
        else:
            steps = each(self.crops, crops[:, :-1])
        of_this_episode: Tensor = steps * (valid[:, :-1] > 0).unsqueeze(-1)
        return of_this_episode.flatten(1)


def each(encoder: nn.Module, crops: Tensor | Repeated) -> Tensor:
    """Returns features (B, T, n) of crops (B, T, h, w), each by itself."""
    if isinstance(crops, Repeated):
        return crops.through(encoder)
    features: Tensor = encoder(crops.flatten(0, 1)).unflatten(0, crops.shape[:2])
    return features
