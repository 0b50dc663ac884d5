"""Gaussian Adaptive Attention: tokens weighted by how typical each of their features is.

Three different functions carry the name. For every sample, feature and head on its own, with μ
and σ² the mean and variance over the head's tokens, δ a learned offset and ξ, c, σ̃ widths:

    gate      g = exp(-(x - μ - δ)² / (2 ξ (σ² + ε)))                             out = x · g
    softmax   a = softmax_tokens(Σ_k -(x - μ - δ_k)² / (2 c_k² σ²))               out = x · a · n
    mixture   log g = logsumexp_k(-½ z_k² - log σ̃_k - ½ log 2π) - log K,          out = x (1 + α g)
              z_k = (y - μ - δ_k) / (σ σ̃_k) of the projection y = x w + b

Sources: Ioannides, Chadha and Elkins, arXiv 2401.11143. "gate" is algorithm 1 of version 1 and its
code (there `DAAM`), "softmax" the authors' library (`GaussianBlock`), "mixture" the gate of their
Density-Adaptive-JEPA. As in their code a head is a run of neighbouring tokens, the last one taking
the remainder; one head sees them all.

The product of K Gaussians normalised over the tokens is one Gaussian: K of them, with widths c_k
and offsets δ_k, weigh exactly as one of precision Σ_k 1/c_k². K only changes how it is learned.

Where we deviate, and why:
- two-pass variance: theirs, E[x²] - E[x]², is noise for values like 3000 ± 1 (a turn counter).
- logarithms throughout: their product of densities underflows, and the clamp under their sum then
  turns the attention off without a word.
- positive widths by softplus or exp over a floor: theirs may cross zero.
- masked tokens are outside mean, variance, count and softmax, and get 0. Theirs are zeroed but
  still counted. It matters: what is typical of a NetHack map is blank stone, which unmasked makes
  everything else look like noise to be gated away.
- "softmax" is multiplied by n, the number of valid tokens (`rescale`): x · a alone is about x / n,
  nothing beside a residual. Its widths start at a total precision of 1, or a single token could
  start with all of the weight.
- "mixture" starts with offsets spread over [-½, ½]: from equal ones, as theirs are, every component
  gets the same gradient for ever and K might as well be 1.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders.masking import zero_void

Form = Literal["gate", "softmax", "mixture"]

FLOOR = 1e-3
"""Least width of any Gaussian, in standard deviations of the data (ξ: least variance)."""


class GaussianAdaptiveAttention(nn.Module):
    """Maps tokens x (batch, tokens, dim) to the same shape; mask (batch, tokens), True where valid.

    Args:
        dim: channels.
        heads: runs of neighbouring tokens with statistics and parameters of their own.
        form: which of the three functions above.
        gaussians: K, for "softmax" and "mixture".
        rescale: multiply "softmax" by the number of valid tokens.
    """

    def __init__(
        self,
        dim: int,
        heads: int = 1,
        form: Form = "gate",
        gaussians: int = 4,
        rescale: bool = True,
    ) -> None:
        super().__init__()
        if form not in ("gate", "softmax", "mixture"):
            raise ValueError(f"form is 'gate', 'softmax' or 'mixture', not {form!r}")
        self.heads, self.form, self.rescale = heads, form, rescale
        if form == "gate":
            self.offset = nn.Parameter(torch.zeros(heads, dim))
            # softplus(raw) + FLOOR = 2, the authors' first ξ
            self.raw_width = nn.Parameter(torch.full((heads, dim), _softplus_inverse(2 - FLOOR)))
        elif form == "softmax":
            self.offset = nn.Parameter(torch.zeros(heads, gaussians))
            width = torch.randn(heads, gaussians).exp()  # theirs, then scaled to Σ 1/c² = 1
            width = width * width.pow(-2).sum(1, keepdim=True).sqrt()
            self.raw_width = nn.Parameter((width - FLOOR).clamp_min(FLOOR).log())
        else:
            self.project = nn.Linear(dim, 1)
            spread = torch.linspace(-0.5, 0.5, gaussians) if gaussians > 1 else torch.zeros(1)
            self.offset = nn.Parameter(spread.repeat(heads, 1))
            self.raw_width = nn.Parameter(torch.full((heads, gaussians), math.log(0.5)))
            self.strength = nn.Parameter(torch.tensor(0.05))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = zero_void(x, mask)
        weights = self.attention(x, mask)
        wide = x.to(weights.dtype)
        if self.form == "mixture":
            out = wide * (1 + self.strength * weights)
        elif self.form == "softmax" and self.rescale:
            out = wide * weights * self._counts(x, mask)
        else:
            out = wide * weights
        return zero_void(out, mask).to(x.dtype)

    def attention(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the weights g or a (batch, tokens, dim), or (batch, tokens, 1) of a mixture.

        In float32 at least, whatever x is in. What stands at a masked token means nothing.
        """
        x = zero_void(x, mask)
        y = self.project(x) if self.form == "mixture" else x
        y = y if y.dtype == torch.float64 else y.float()
        weigh = {"gate": self._gate, "softmax": self._softmax, "mixture": self._mixture}[self.form]
        sizes = self._sizes(x.shape[1])
        valid = (None,) * len(sizes) if mask is None else mask.unsqueeze(-1).split(sizes, 1)
        parts = zip(y.split(sizes, 1), valid, strict=True)
        return torch.cat([weigh(head, *part) for head, part in enumerate(parts)], dim=1)

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the weights' mean over features, (batch, tokens); 0 at masked tokens."""
        return zero_void(self.attention(x, mask).mean(-1), mask)

    def _gate(self, head: int, y: Tensor, valid: Tensor | None) -> Tensor:
        centred, variance = _moments(y, valid, unbiased=False)
        width = F.softplus(self.raw_width[head]) + FLOOR
        # The authors' two floors, 1e-8 under the variance and 1e-5 under the root.
        precision = 0.5 / (width * (variance + (1e-8 + 1e-5)))
        return torch.exp(-(centred - self.offset[head]).square() * precision)

    def _softmax(self, head: int, y: Tensor, valid: Tensor | None) -> Tensor:
        centred, variance = _moments(y, valid, unbiased=True)
        precisions = (self.raw_width[head].exp() + FLOOR).pow(-2)
        precision = precisions.sum()
        offset = (precisions * self.offset[head]).sum() / precision
        logits = -(centred - offset).square() * (0.5 * precision / (variance + 1e-8))
        if valid is not None:
            # Where nothing is valid nothing is masked: the result is set to 0 afterwards.
            void = ~valid & valid.any(1, keepdim=True)
            logits = logits.masked_fill(void, -torch.inf)
        return logits.softmax(1)

    def _mixture(self, head: int, y: Tensor, valid: Tensor | None) -> Tensor:
        centred, variance = _moments(y, valid, unbiased=False)
        width = F.softplus(self.raw_width[head]) + FLOOR
        scale = variance.clamp_min(1e-6).sqrt() * width + 1e-8
        z = (centred - self.offset[head]) / scale
        log_density = -0.5 * z.square() - width.log() - 0.5 * math.log(2 * math.pi)
        mean = log_density.logsumexp(-1, keepdim=True) - math.log(len(width))
        return mean.exp()

    def _sizes(self, tokens: int) -> list[int]:
        """Returns the number of tokens of each head: all alike, and the remainder to the last.

        Raises:
            ValueError: there are fewer tokens than heads.
        """
        if self.heads > tokens:
            raise ValueError(f"{tokens} tokens cannot be divided among {self.heads} heads")
        each = tokens // self.heads
        return [each] * (self.heads - 1) + [tokens - each * (self.heads - 1)]

    def _counts(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Returns how many valid tokens the head of each token has, (batch or 1, tokens, 1)."""
        valid = x.new_ones(1, x.shape[1], 1) if mask is None else mask.unsqueeze(-1)
        parts = valid.float().split(self._sizes(x.shape[1]), 1)
        return torch.cat([part.sum(1, keepdim=True).expand_as(part) for part in parts], dim=1)


def _moments(y: Tensor, valid: Tensor | None, unbiased: bool) -> tuple[Tensor, Tensor]:
    """Returns y less its mean over valid tokens, and its variance over them.

    Args:
        y: (batch, tokens, features).
        valid: (batch, tokens, 1) bool; None where all are.
        unbiased: whether the variance is divided by the number of tokens less one.

    Returns:
        (batch, tokens, features) and (batch, 1, features).
    """
    less = 1 if unbiased else 0
    if valid is None:
        centred = y - y.mean(1, keepdim=True)
        return centred, centred.square().sum(1, keepdim=True) / max(y.shape[1] - less, 1)
    count = valid.sum(1, keepdim=True)
    centred = y - zero_void(y, valid).sum(1, keepdim=True) / count.clamp_min(1)
    squares = zero_void(centred.square(), valid).sum(1, keepdim=True)
    return centred, squares / (count - less).clamp_min(1)


def _softplus_inverse(y: float) -> float:
    return math.log(math.expm1(y))
