"""An attention mechanism alone, in a network of one's own: does a map hold a key and a door?

python docs/examples/encoder_alone.py             # agent attention; some seconds
python docs/examples/encoder_alone.py softmax     # or any other of `agents.encoders.MECHANISMS`
"""

import sys

import torch
from torch import Tensor, nn

from agents.encoders import make_mechanism

HEIGHT, WIDTH, DIM = 5, 7, 16
FLOOR, KEY, DOOR = 0, 1, 2


class Net(nn.Module):
    """Embeds a map's symbols and their places, lets cells look at each other, and reads them."""

    def __init__(self, mechanism: str) -> None:
        super().__init__()
        self.symbols = nn.Embedding(3, DIM)
        self.places = nn.Parameter(0.1 * torch.randn(HEIGHT * WIDTH, DIM))
        self.norm = nn.LayerNorm(DIM)
        self.mix = make_mechanism(mechanism, DIM, HEIGHT, WIDTH)
        self.read = nn.Sequential(nn.LayerNorm(DIM), nn.Linear(DIM, 64), nn.GELU())
        self.answer = nn.Linear(64, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """From maps (B, H, W) int64 to logits (B,)."""
        tokens = self.symbols(maps.flatten(1)) + self.places  # (B, H * W, DIM)
        valid = torch.ones(tokens.shape[:2], dtype=torch.bool)  # an invalid cell changes nothing
        tokens = tokens + self.mix(self.norm(tokens), valid)
        return self.answer(self.read(tokens).mean(1)).squeeze(1)


def draw_maps(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Returns n maps with a key, a door, both or neither, and which hold both (n,)."""
    maps = torch.full((n, HEIGHT * WIDTH), FLOOR)
    holds = torch.rand(n, 2, generator=generator) < 0.7
    places = torch.rand(n, HEIGHT * WIDTH, generator=generator).argsort(1)  # two cells each, apart
    for symbol, has, place in zip((KEY, DOOR), holds.T, places.T, strict=False):
        maps[torch.arange(n)[has], place[has]] = symbol
    return maps.view(n, HEIGHT, WIDTH), holds.all(1).float()


def main(mechanism: str = "agent", updates: int = 300) -> float:
    """Trains on fresh maps; returns the share of 1,000 new ones that are answered rightly."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    net = Net(mechanism)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(updates):
        maps, both = draw_maps(32, generator)
        loss = nn.functional.binary_cross_entropy_with_logits(net(maps), both)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    maps, both = draw_maps(1000, generator)
    with torch.no_grad():
        share = ((net(maps) > 0) == both.bool()).float().mean().item()
    print(f"{mechanism}: {share:.0%} of 1,000 new maps answered rightly")
    return share


if __name__ == "__main__":
    main(*sys.argv[1:2])
