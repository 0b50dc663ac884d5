"""Encodes a map of glyphs: two convolutions, a mechanism among its cells, one layer to read out.

All encoders share the convolutions and the layer that reads them out; a mechanism is a residual
branch between, x + γ f(norm(x)), so that encoders differ by it alone and by few weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from agents.encoders import MECHANISMS, make_mechanism
from agents.network.kernels.glyph_conv import glyph_conv
from agents.network.kernels.token_widths import narrow, widen
from agents.network.vector_parts import NO_GLYPH, STONE
from calm.errors import UsageError

THIN, WIDE = 16, 64
"""Channels after the first convolution, and after the second."""
LARGE = 400
"""Cells beyond which a map is a whole level: its first convolution then takes every second cell."""
FINE = ("gaussian", "squeeze")
"""Mechanisms that cost no more than the convolutions do, and so mix the cells of a crop itself,
between the two; others mix what the second leaves, every second cell."""

SCANS = ("scan", "gated-scan", "ss2d")
NARROW = 16
"""Channels that a scan sees by default, of the `WIDE`: it costs most of all. The whole encoder's
forward at batch 16 then takes 2.2 times the CNN's (`calm encoders`)."""


class Unchanged(nn.Module):
    """Holds a module whose weights start as in its paper.

    SB3's policies call `apply` to initialise every Linear and Conv2d of an extractor anew
    (orthogonal, gain √2); here that stops.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def apply(self, fn: Callable[[nn.Module], None]) -> Self:
        """Changes nothing."""
        return self


class Mix(nn.Module):
    """Adds to tokens (batch, N, dim) what a mechanism makes of them, normed and placed.

    A mechanism that sees fewer channels than there are has them projected there and back.

    Args:
        name: of the mechanism.
        dim: channels.
        height: rows of the grid of cells.
        width: columns of the grid.
        extra: tokens in front of the cells that have no place on the map; N is with them.
        options: of the mechanism's class; and "channels", those that it sees: all by default, of
            a scan `NARROW`.

    Raises:
        UsageError: it can't have the options, or sees less than one channel or more than `dim`.
    """

    def __init__(
        self,
        name: str,
        dim: int,
        height: int,
        width: int,
        extra: int = 0,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        sizes = {"extra_tokens": extra} if extra else {}
        options = {**default_options(name, height, width), **(options or {})}
        inner = options.pop("channels", min(dim, NARROW) if name in SCANS else dim)
        if not isinstance(inner, int) or not 1 <= inner <= dim:
            raise UsageError(f"{name} can see 1 to {dim} channels here, not {inner!r}")
        self.place = nn.Parameter(torch.empty(extra + height * width, dim).normal_(std=0.02))
        self.norm = nn.LayerNorm(dim)
        self.inside = nn.Linear(dim, inner) if inner < dim else nn.Identity()
        self.branch = Unchanged(make_mechanism(name, inner, height, width, **sizes, **options))
        self.outside = nn.Linear(inner, dim, bias=False) if inner < dim else nn.Identity()

    @property
    def mechanism(self) -> nn.Module:
        """The mechanism itself, whose attention can be drawn."""
        inner = self.branch.module.mechanism
        assert isinstance(inner, nn.Module)
        return inner

    def prepared(self, tokens: Tensor) -> Tensor:
        """Returns the mechanism's input (batch, N, inner) of tokens (batch, N, dim)."""
        if isinstance(self.inside, nn.Linear):
            return narrow(tokens, self.place, self.norm, self.inside)
        normed: Tensor = self.norm(tokens + self.place)
        return normed

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        mixed: Tensor = self.branch.module(self.prepared(tokens), mask)
        if isinstance(self.outside, nn.Linear):
            return widen(tokens, mixed, self.outside.weight).transpose(1, 2)
        return tokens + mixed


def default_options(name: str, height: int, width: int) -> dict[str, Any]:
    """Returns options of a mechanism for a grid; its class's own defaults suit large grids."""
    if name in SCANS:
        small: dict[str, Any] = {"state": 4}
        return small | ({"expand": 1} if name == "ss2d" else {})
    if name in ("agent", "pooled") and width < 20:
        return {"agents" if name == "agent" else "pool": (min(3, height), min(3, width))}
    return {}


class MapEncoder(nn.Module):
    """Encodes glyphs (batch, h, w), with tokens that have no place there, as (batch, out) features.

    Unknown cells (stone, or beyond the map) are zeros to the first convolution and are masked from
    the mechanism. Where a thing stands relative to the hero is kept: the last layer reads all
    cells.

    Args:
        embedding: of glyphs; shared with the inventory.
        shape: (h, w).
        out: number of features.
        encoder: `cnn` for no mechanism, or one of `agents.encoders.MECHANISMS`.
        extra: number of extra tokens, `WIDE` features each; only for mechanisms that let them join.
        fine: mix every cell, between the convolutions, rather than every second one after both; by
            default as in `FINE`.
        options: of the mechanism, as `Mix` takes them.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        shape: tuple[int, int],
        out: int,
        encoder: str = "cnn",
        extra: int = 0,
        fine: bool | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.stride = 2 if shape[0] * shape[1] > LARGE else 1
        first = (-(-shape[0] // self.stride), -(-shape[1] // self.stride))
        second = (-(-first[0] // 2), -(-first[1] // 2))
        self.fine = encoder in FINE if fine is None else fine
        self.extra = extra
        self.stem = nn.Conv2d(embedding.embedding_dim, THIN, 3, stride=self.stride, padding=1)
        self.down = nn.Conv2d(THIN, WIDE, 3, stride=2, padding=1)
        self.mix: Mix | None = None
        if encoder != "cnn":
            dim = THIN if self.fine else WIDE
            self.mix = Mix(encoder, dim, *(first if self.fine else second), extra, options)
        self.grid = first if self.fine else second
        """Rows and columns of what the mechanism sees."""
        self.read = nn.Linear(WIDE * (second[0] * second[1] + extra), out)

    def forward(
        self, glyphs: Tensor, extra: Tensor | None = None, present: Tensor | None = None
    ) -> Tensor:
        """Returns features (batch, out).

        Args:
            glyphs: (batch, h, w).
            extra: tokens (batch, extra, WIDE) without a place on the map.
            present: (batch, extra) which of these hold something.
        """
        if self.mix is not None and not self.fine:
            known = self.known(glyphs)
            return self._read_mixed(*self.tokens(self.cells(glyphs), known, extra, present))
        cells = self.down(self._mixed(self._thin(glyphs), glyphs))
        # Cut off at 0 in the order in memory in which they are read, where its gradient takes a
        # ninth of the time that it takes between two orders.
        return torch.relu(self.read(torch.relu(cells.flatten(1))))

    def marked_cells(self, glyphs: Tensor) -> Tensor:
        """Returns the cells of glyphs (batch, h, w) one after the other, (batch, N, dim + 1).

        The last feature is 1 for known cells and 0 for others: one tensor, so that it can be had
        once for equal maps.
        """
        cells, mask = self.tokens(self.cells(glyphs), self.known(glyphs))
        return torch.cat([cells, mask.unsqueeze(2).to(cells.dtype)], 2)

    def joined(self, marked: Tensor, extra: Tensor, present: Tensor) -> Tensor:
        """Returns features (batch, out) of `marked_cells` and of tokens, as `forward` does."""
        tokens = torch.cat([extra, marked[..., :-1]], 1)
        return self._read_mixed(tokens, torch.cat([present, marked[..., -1] > 0], 1))

    def _read_mixed(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Returns features (batch, out) of tokens (batch, N, dim), mixed by the mechanism first."""
        assert self.mix is not None
        return torch.relu(self.read(self.mix(tokens, mask).transpose(1, 2).flatten(1)))

    def cells(self, glyphs: Tensor) -> Tensor:
        """Returns the mechanism's cells (batch, dim, rows, columns) of glyphs (batch, h, w)."""
        thin = self._thin(glyphs)
        return thin if self.fine else torch.relu(self.down(thin))

    def _thin(self, glyphs: Tensor) -> Tensor:
        """Returns what the first convolution makes of glyphs, (batch, THIN, rows, columns)."""
        return glyph_conv(glyphs, self.embedding, self.stem, (STONE, NO_GLYPH))

    def known(self, glyphs: Tensor) -> Tensor:
        """Returns which cells of `cells` saw a known one, (batch, rows, columns) bool."""
        known = (glyphs != STONE) & (glyphs != NO_GLYPH)
        if self.stride > 1:
            known = _folded(known)
        return known if self.fine else _folded(known)

    def tokens(
        self,
        cells: Tensor,
        known: Tensor,
        extra: Tensor | None = None,
        present: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Returns extra tokens and cells together, (batch, N, dim), and which are valid (batch, N).

        Args:
            cells: (batch, dim, rows, columns), as `cells` returns them.
            known: (batch, rows, columns) bool.
            extra: (batch, extra, dim).
            present: (batch, extra) bool.
        """
        tokens, mask = cells.flatten(2).transpose(1, 2), known.flatten(1)
        if extra is None or present is None:
            return tokens, mask
        return torch.cat([extra, tokens], 1), torch.cat([present, mask], 1)

    def _mixed(self, cells: Tensor, glyphs: Tensor) -> Tensor:
        """Returns cells (batch, dim, rows, columns) after the mechanism, if there is one."""
        if self.mix is None:
            return cells
        tokens, mask = self.tokens(cells, self.known(glyphs))
        mixed: Tensor = self.mix(tokens, mask).transpose(1, 2).unflatten(2, cells.shape[2:])
        return mixed


def can_join(encoder: str, fine: bool | None = None) -> bool:
    """Returns whether tokens without a place on the map may be mixed with its cells."""
    return encoder in MECHANISMS and MECHANISMS[encoder].joins and not fine


def _folded(known: Tensor) -> Tensor:
    """Returns which of every second row and column of cells have a known cell in their 3x3."""
    most: Tensor = nn.functional.max_pool2d(known.float(), 3, 2, padding=1)
    return most > 0
