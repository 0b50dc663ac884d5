"""Agent Attention: softmax attention through a few pooled agent tokens, at linear cost.

    Q, K, V = x W_q, x W_k, x W_v;   A = pool(Q)                        n agents, n << N
    V_A = softmax(A Kᵀ / √d + B1) V                                     agents gather
    O = softmax(Q Aᵀ / √d + B2) V_A + DWConv3x3(V),   out = O W_o       agents hand out

B1 and B2 are learned for each head: a 7 x 7 table resized to the map, a term for each row and one
for each column. Tokens without a place on the map come first, as the class token does in the
paper: agents are pooled from map tokens only, the convolution passes them by, and each has a
bias of its own to and from every agent.

Source: Han et al., ECCV 2024, arXiv 2312.08874, and the authors' code (commit
207ce3e) for what the paper leaves open (agents are pooled from Q after its projection; the
initialisation).

Where we deviate, and why:
- any map and any grid of agents: the code takes the square root of both counts, and a NetHack map
  is 21 x 79.
- `mask`: void cells are pooled into no agent, are no keys, are 0 to the convolution, and get 0.
  Left in, the blank 98 % of a map makes the agents near copies of one another.
- the biases are broadcast over the batch rather than repeated for each sample.
- no dropout: PPO must see in its update the network it acted with.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders.attend import attend, weights
from agents.encoders.masking import zero_void
from agents.encoders.pooling import bins, masked_pool, resizing

TABLE = 7
"""Side of the table that position biases are resized from: constant in the authors' code."""


class AgentAttention(nn.Module):
    """Maps tokens x (batch, extra_tokens + height * width, dim) to the same shape.

    Args:
        dim: channels, divisible by `heads`.
        heads: of the attention, each with dim // heads channels.
        height: rows of the map.
        width: columns of the map.
        agents: the grid (rows, columns) that Q is pooled to. It pools evenly where it divides
            the map; 3 x 9 on 21 x 79 has rows of 7 and columns that overlap by a cell.
        qkv_bias: whether Q, K and V have a bias, as in the published models.
        extra_tokens: tokens without a place on the map, in front.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        height: int,
        width: int,
        agents: tuple[int, int] = (3, 9),
        qkv_bias: bool = True,
        *,
        extra_tokens: int = 0,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim {dim} does not divide into {heads} heads")
        self.heads, self.height, self.width, self.extra = heads, height, width, extra_tokens
        count = agents[0] * agents[1]
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.out = nn.Linear(dim, dim)
        self.conv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        # B1 (to the agents, gathering) and B2 (from them, handing out): stacked, in this order.
        self.bias_table = nn.Parameter(torch.empty(2, heads, count, TABLE, TABLE))
        self.bias_rows = nn.Parameter(torch.empty(2, heads, count, height))
        self.bias_columns = nn.Parameter(torch.empty(2, heads, count, width))
        self.bias_extra: nn.Parameter | None = None
        if extra_tokens:
            self.bias_extra = nn.Parameter(torch.empty(2, heads, count, extra_tokens))
        for weight in (self.qkv.weight, self.out.weight):
            nn.init.trunc_normal_(weight, std=0.02)
        for table in (self.bias_table, self.bias_rows, self.bias_columns, self.bias_extra):
            if table is not None:
                nn.init.trunc_normal_(table, std=0.02)
        for bias in (self.qkv.bias, self.out.bias):
            if bias is not None:
                nn.init.zeros_(bias)

        self.pool_rows: Tensor
        self.pool_columns: Tensor
        self.resize_rows: Tensor
        self.resize_columns: Tensor
        self.register_buffer("pool_rows", bins(height, agents[0]), persistent=False)
        self.register_buffer("pool_columns", bins(width, agents[1]), persistent=False)
        self.register_buffer("resize_rows", resizing(height, TABLE), persistent=False)
        self.register_buffer("resize_columns", resizing(width, TABLE), persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns x's shape; `mask` (batch, tokens) bool is True where a token is valid."""
        q, k, v, a = self._project(x, mask)
        to_agents, from_agents = self._biases()
        gathered = attend(a, k, v, to_agents, key_mask=mask)
        mixed = attend(q, a, gathered, from_agents, query_mask=mask)
        out: Tensor = self.out(mixed.flatten(2) + self._local(v.flatten(2), mask))
        return zero_void(out, mask)

    def attention(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns what agents gather (batch, heads, n, N) and hand out (batch, heads, N, n).

        Rows sum to 1. The second times the first is the attention of token to token.
        """
        q, k, _, a = self._project(x, mask)
        to_agents, from_agents = self._biases()
        return weights(a, k, to_agents, mask), weights(q, a, from_agents)

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns how much each token is looked at, (batch, tokens) in [0, 1].

        Means over heads and over the valid tokens that look; 0 at masked tokens.
        """
        gather, hand_out = self.attention(x, mask)
        if mask is not None:
            hand_out = zero_void(hand_out, mask[:, None, :, None])
        share = hand_out.sum(2, keepdim=True) / hand_out.sum((2, 3), keepdim=True).clamp_min(1)
        return zero_void((share @ gather).mean(1).squeeze(1), mask)

    def _project(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns Q, K, V (batch, N, heads, d) and the agents (batch, n, heads, d)."""
        q, k, v = self.qkv(zero_void(x, mask)).chunk(3, dim=-1)
        on_map = None if mask is None else mask[:, self.extra :]
        agents, _ = masked_pool(q[:, self.extra :], self.pool_rows, self.pool_columns, on_map)
        q, k, v, agents = (t.unflatten(-1, (self.heads, -1)) for t in (q, k, v, agents))
        return q, k, v, agents

    def _biases(self) -> tuple[Tensor, Tensor]:
        """Returns B1 (heads, n, N) and B2 (heads, N, n)."""
        table: Tensor = self.bias_table
        rows, columns = self.resize_rows.to(table), self.resize_columns.to(table)
        with torch.autocast(device_type=table.device.type, enabled=False):
            table = rows @ table @ columns.t()
        table = table + self.bias_rows.unsqueeze(-1) + self.bias_columns.unsqueeze(-2)
        table = table.flatten(-2)
        if self.bias_extra is not None:
            table = torch.cat([self.bias_extra, table], dim=-1)
        return table[0], table[1].transpose(-2, -1)

    def _local(self, v: Tensor, mask: Tensor | None) -> Tensor:
        """Returns the depth-wise convolution of V (batch, N, dim), 0 off the map."""
        v = zero_void(v, mask)  # a bias is no longer 0 at a void cell
        grid = v[:, self.extra :].unflatten(1, (self.height, self.width)).permute(0, 3, 1, 2)
        local: Tensor = self.conv(grid).permute(0, 2, 3, 1).flatten(1, 2)
        return F.pad(local, (0, 0, self.extra, 0)) if self.extra else local
