"""Class-semantics attention: gates learned from a classifier's scores, applied to features.

With semantics R (class scores over time), features F and, for each, time t and channel c:

    a_c = sigmoid(W_c mean_t ReLU(conv_c R) + b_c)        one gate for each feature channel
    a_t = sigmoid(W_t mean_c ReLU(conv_t Rᵀ) + b_t)       one gate for each step of time
    out = P [F · a_c ; F · a_t]

Where squeeze-and-excitation learns its gates from F and applies them to F, here they are learned
from R: what judges is not what is judged.

Source: Sridhar et al., ICCV 2021, arXiv 2109.02613, figure 1; there is no code of the authors. In
an agent R is the judge's answer about each subgoal in the last T steps and what was in sight.

What figure 1 leaves open, and our choice: kernels of 3, hidden widths equal to the outputs', P a
1x1 convolution, no norm. The temporal branch's convolution takes time for its channels and slides
over the classes, which is what leaves a vector over time after its pooling.

Beyond it: steps before an episode's start (`valid` False) are 0 to the convolutions, are outside
the pooled mean, and get 0. R's gradient is the caller's to stop: an observation has none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.encoders.masking import zero_void


class ClassSemanticsAttention(nn.Module):
    """Gates features (batch, Cout, T) by semantics (batch, Cin, T), for windows of T steps.

    Args:
        semantic_channels: Cin.
        feature_channels: Cout.
        window: T.
    """

    def __init__(self, semantic_channels: int, feature_channels: int, window: int) -> None:
        super().__init__()
        self.channel_conv = nn.Conv1d(semantic_channels, feature_channels, 3, padding=1)
        self.channel_gate = nn.Linear(feature_channels, feature_channels)
        self.time_conv = nn.Conv1d(window, window, 3, padding=1)
        self.time_gate = nn.Linear(window, window)
        self.project = nn.Conv1d(2 * feature_channels, feature_channels, 1)

    def forward(self, semantics: Tensor, features: Tensor, valid: Tensor | None = None) -> Tensor:
        """Returns features (batch, Cout, T) after both gates.

        Args:
            semantics: (batch, Cin, T).
            features: (batch, Cout, T).
            valid: (batch, T) bool, False before the episode's start; None where all are valid.
        """
        real = None if valid is None else valid.unsqueeze(1)
        channel, time = self.gates(semantics, valid)
        gates = channel.unsqueeze(2), time.unsqueeze(1)
        gated = [zero_void(features, real) * gate for gate in gates]
        out: Tensor = self.project(torch.cat(gated, dim=1))
        return zero_void(out, real)

    def gates(self, semantics: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns a_c (batch, Cout) and a_t (batch, T), each in (0, 1); arguments as `forward`."""
        real = None if valid is None else valid.unsqueeze(1)
        semantics = zero_void(semantics, real)
        along_time = _wide(torch.relu(self.channel_conv(semantics)))
        if valid is None:
            over_time = along_time.mean(2)
        else:
            count = valid.sum(1, keepdim=True).clamp_min(1)
            over_time = zero_void(along_time, real).sum(2) / count
        over_classes = _wide(torch.relu(self.time_conv(semantics.transpose(1, 2)))).mean(2)
        channel = torch.sigmoid(self.channel_gate(over_time))
        time = torch.sigmoid(self.time_gate(over_classes))
        return channel, time


def _wide(x: Tensor) -> Tensor:
    """Returns x in float32 at least, in which means are taken, autocast or not."""
    return x if x.dtype == torch.float64 else x.float()
