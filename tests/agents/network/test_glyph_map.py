"""The grid that a mechanism sees, and which cells of it are known."""

import pytest
import torch
from torch import nn

from agents.network.glyph_map import FINE, MapEncoder, Mix, can_join, default_options
from agents.network.vector_parts import GLYPHS, STONE
from calm.errors import UsageError


@pytest.mark.parametrize(
    ("encoder", "shape", "grid"),
    [
        ("agent", (9, 9), (5, 5)),  # every second cell of a crop
        ("squeeze", (9, 9), (9, 9)),  # every cell: it costs little
        ("agent", (21, 79), (6, 20)),  # every fourth of a level
    ],
)
def test_a_mechanism_sees_its_grid(
    encoder: str, shape: tuple[int, int], grid: tuple[int, int]
) -> None:
    part = MapEncoder(nn.Embedding(GLYPHS, 4), shape, 8, encoder)
    assert part.grid == grid
    assert part.fine == (encoder in FINE)
    glyphs = torch.full((2, *shape), STONE)
    cells, known = part.cells(glyphs), part.known(glyphs)
    assert cells.shape[2:] == known.shape[1:] == grid
    assert not known.any()


def test_a_cell_is_known_where_it_or_a_neighbour_is() -> None:
    glyphs = torch.full((1, 9, 9), STONE)
    glyphs[0, 4, 4] = 0
    part = MapEncoder(nn.Embedding(GLYPHS, 4), (9, 9), 8, "softmax")
    known = part.known(glyphs)
    assert known[0].nonzero().tolist() == [[2, 2]]  # centred on cell (4, 4)
    glyphs[0, 4, 4], glyphs[0, 3, 3] = STONE, 0
    known = part.known(glyphs)
    assert known[0].nonzero().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_small_grids_have_fewer_agents_and_scans_fewer_states() -> None:
    assert default_options("agent", 5, 5) == {"agents": (3, 3)}
    assert default_options("pooled", 2, 5) == {"pool": (2, 3)}
    assert default_options("agent", 6, 20) == {}
    assert default_options("ss2d", 5, 5) == {"state": 4, "expand": 1}


def test_tokens_join_where_the_mechanism_lets_them() -> None:
    assert [name for name in ("cnn", "agent", "scan", "softmax") if can_join(name)] == [
        "agent",
        "softmax",
    ]
    assert not can_join("agent", fine=True)


def test_a_mechanism_sees_as_many_channels_as_it_is_told() -> None:
    whole, narrow = (Mix("agent", 64, 5, 5, 1, options) for options in ({}, {"channels": 16}))
    tokens, valid = torch.randn(2, 26, 64), torch.ones(2, 26, dtype=torch.bool)
    assert whole.prepared(tokens).shape == (2, 26, 64)
    assert narrow.prepared(tokens).shape == (2, 26, 16)
    assert narrow(tokens, valid).shape == (2, 26, 64)
    assert Mix("scan", 64, 5, 5).prepared(tokens[:, 1:]).shape == (2, 25, 16)


@pytest.mark.parametrize("channels", [0, 65, 1.5, "16"])
def test_a_number_of_channels_that_there_are_not_is_refused(channels: object) -> None:
    with pytest.raises(UsageError, match="agent can see 1 to 64 channels here, not"):
        Mix("agent", 64, 5, 5, options={"channels": channels})
