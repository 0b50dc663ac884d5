"""Softmax attention: the baselines that agent attention is compared with.

    Q, K, V = x W_q, x W_k, x W_v;   out = softmax(Q Kᵀ / √d) V W_o

`SoftmaxAttention` sees every token, at a cost quadratic in their number. `PooledSoftmaxAttention`
pools K and V to a coarse grid, as PVTv2's linear attention does (Wang et al. 2022, arXiv
2106.13797): with as many pooled keys as agent attention has agents it costs about
the same, which makes it the fair rival.

Sources: Vaswani et al. 2017, arXiv 1706.03762, equation 1. Masked cells are no keys, are left out
of the pooled means, and get 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.encoders.attend import attend, weights
from agents.encoders.masking import zero_void
from agents.encoders.pooling import bins, masked_pool


class SoftmaxAttention(nn.Module):
    """Maps tokens x (batch, tokens, dim) to the same shape; mask (batch, tokens), True where valid.

    Args:
        dim: channels, divisible by `heads`.
        heads: of the attention, each with dim // heads channels.
        qkv_bias: whether Q, K and V have a bias.
    """

    def __init__(self, dim: int, heads: int, qkv_bias: bool = True) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim {dim} does not divide into {heads} heads")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.out = nn.Linear(dim, dim)
        for layer in (self.qkv, self.out):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v, keys = self._project(x, mask)
        out: Tensor = self.out(attend(q, k, v, key_mask=keys, query_mask=mask).flatten(2))
        return zero_void(out, mask)

    def attention(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the attention of each token to each key, (batch, heads, tokens, keys).

        Rows sum to 1.
        """
        q, k, _, keys = self._project(x, mask)
        return weights(q, k, key_mask=keys)

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns how much each key is looked at, (batch, keys) in [0, 1].

        Means over heads and over the valid tokens that look.
        """
        looked = self.attention(x, mask).mean(1)
        if mask is None:
            return looked.mean(1)
        return zero_void(looked, mask).sum(1) / mask.sum(1, keepdim=True).clamp_min(1)

    def _project(
        self, x: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Returns Q, K, V (batch, ..., heads, d), and which keys count (batch, keys) bool.

        The last is None where all do.
        """
        q, k, v = self.qkv(zero_void(x, mask)).chunk(3, dim=-1)
        k, v, keys = self._keys(k, v, mask)
        q, k, v = (t.unflatten(-1, (self.heads, -1)) for t in (q, k, v))
        return q, k, v, keys

    def _keys(
        self, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns K and V (batch, keys, dim) to attend to, and which count (batch, keys) bool."""
        return k, v, mask


class PooledSoftmaxAttention(SoftmaxAttention):
    """Attends to K and V pooled to a coarse grid over the map; shapes as `SoftmaxAttention`.

    Args:
        dim, heads, qkv_bias: as `SoftmaxAttention`.
        height: rows of the map.
        width: columns of the map.
        pool: rows and columns of the grid.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        height: int,
        width: int,
        pool: tuple[int, int] = (3, 9),
        qkv_bias: bool = True,
    ) -> None:
        super().__init__(dim, heads, qkv_bias)
        self.pool_rows: Tensor
        self.pool_columns: Tensor
        self.register_buffer("pool_rows", bins(height, pool[0]), persistent=False)
        self.register_buffer("pool_columns", bins(width, pool[1]), persistent=False)

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns how much each cell is looked at, (batch, cells) in [0, 1].

        A bin's weight, the mean over heads and over the valid cells that look, is shared out evenly
        among its valid cells.
        """
        by_bin = super().attention_map(x, mask)
        _, count = masked_pool(x[..., :1], self.pool_rows, self.pool_columns, mask)
        share = by_bin / count.squeeze(-1).clamp_min(1)
        rows, columns = self.pool_rows.to(share), self.pool_columns.to(share)
        grid = rows.t() @ share.unflatten(1, (len(rows), len(columns))) @ columns
        return zero_void(grid.flatten(1), mask)

    def _keys(
        self, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        pooled, count = masked_pool(torch.cat([k, v], -1), self.pool_rows, self.pool_columns, mask)
        k, v = pooled.chunk(2, dim=-1)
        return k, v, None if mask is None else count.squeeze(-1) > 0
