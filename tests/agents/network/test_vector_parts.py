"""Message, inventory and status as features, and the glyphs that they and the maps speak of."""

import math

import torch
from torch import nn

from agents.network import vector_parts
from agents.network.vector_parts import InventoryEncoder, MessageEncoder, StatusEncoder
from envs.game import glyphs


def test_glyphs_are_those_of_the_game() -> None:
    """They stand here once more so that the network can be had without nle."""
    assert vector_parts.NO_GLYPH == glyphs.NO_GLYPH
    assert vector_parts.STONE == glyphs.STONE
    assert len(glyphs.THING_OF_GLYPH) == vector_parts.GLYPHS


def test_an_inventory_is_the_sum_of_what_is_carried() -> None:
    embedding = nn.Embedding(vector_parts.GLYPHS, 2)
    encoder = InventoryEncoder(embedding, out=2)
    with torch.no_grad():
        embedding.weight.zero_()
        embedding.weight[7], embedding.weight[9] = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5])
        embedding.weight[vector_parts.NO_GLYPH] = 100.0  # an empty place counts nothing
        encoder.linear.weight.copy_(torch.eye(2))
        encoder.linear.bias.copy_(torch.tensor([0.0, -10.0]))
    empty = [vector_parts.NO_GLYPH] * 52
    carried = torch.tensor([[7, 9, 7, *empty], [vector_parts.NO_GLYPH] * 3 + empty])
    assert encoder(carried).tolist() == [[5.0, 0.0], [0.0, 0.0]]  # 1 + 3 + 1; 2 + 5 + 2 - 10 < 0


def test_a_status_is_squeezed_by_sign_and_logarithm() -> None:
    encoder = StatusEncoder(2, out=2)
    with torch.no_grad():
        encoder.linear.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
        encoder.linear.bias.zero_()
    for kind in (torch.int64, torch.float32):
        features = encoder(torch.tensor([[99, -6]], dtype=kind))
        assert torch.allclose(features, torch.tensor([[math.log(100), math.log(7)]]))


def test_a_message_is_read_up_to_its_length() -> None:
    torch.manual_seed(0)
    encoder = MessageEncoder(out=16, length=10)
    message = torch.zeros(1, 256, dtype=torch.uint8)
    message[0, :5] = torch.tensor([*b"Hello"], dtype=torch.uint8)
    longer = message.clone()
    longer[0, 10:] = 65
    assert encoder(message).shape == (1, 16)
    assert torch.equal(encoder(message), encoder(longer))
    assert not torch.equal(encoder(message), encoder(torch.zeros_like(message)))
