"""What `agents.encoders` offers: each name is there, is documented, and is all that is offered."""

import pytest

import agents.encoders as encoders


@pytest.mark.parametrize("name", encoders.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert getattr(encoders, name) is not None
    if name != "MECHANISMS":  # a dictionary has the docstring of its kind
        assert (getattr(encoders, name).__doc__ or "").strip()


def test_every_mechanism_is_offered() -> None:
    assert {entry.name for entry in encoders.MECHANISMS.values()} <= set(encoders.__all__)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'AgentAttentions'"):
        _ = encoders.AgentAttentions
