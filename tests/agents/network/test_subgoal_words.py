"""Hashed words of subgoals: alike where words are shared, and the same on every machine."""

import pytest
import torch

from agents.network.subgoal_words import WORDS, hashed_words


def test_a_words_signs_are_the_bits_of_its_hash() -> None:
    """SHA-256 of "key" begins 2c 70: 0010 1100 0111 0000."""
    key = hashed_words(["Key"])[0]
    assert "".join("1" if sign > 0 else "0" for sign in key[:16]) == "0010110001110000"
    assert key.abs().tolist() == pytest.approx([WORDS**-0.5] * WORDS)


def test_words_are_added_up() -> None:
    key, door, both, thrice = hashed_words(["key", "door", "key, door", "key; key! key"])
    assert torch.allclose(both, (key + door) / (key + door).norm())
    assert torch.allclose(thrice, key)


def test_shared_words_point_the_same_way() -> None:
    near, take, door = hashed_words(
        ["stand next to the key", "pick up the key", "open locked door"]
    )
    assert near @ take > near @ door


def test_no_word_is_no_direction() -> None:
    assert torch.equal(hashed_words(["..."]), torch.zeros(1, WORDS))
    assert hashed_words([]).shape == (0, WORDS)
