"""The last steps as features: earlier crops side by side, and nothing from before an episode.

And what the gates over the last steps are learned from.
"""

import pytest
import torch

from agents.network.history import PastEncoder, WindowEncoder
from agents.network.names import GATES
from calm.errors import UsageError


def test_the_past_is_seen_and_what_was_before_the_episode_is_not() -> None:
    torch.manual_seed(0)
    past = PastEncoder(torch.nn.Embedding(5977, 4), (3, 5, 5), 7)
    crops = torch.randint(2300, 2400, (2, 3, 5, 5))
    valid = torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    features = past(crops, valid)
    assert features.shape == (2, past.out) == (2, 14)
    assert features[1, :7].tolist() == [0.0] * 7
    changed = crops.clone()
    changed[:, 2] = 2345  # the present crop is another encoder's
    changed[1, 0] = 2346  # this was before the episode
    assert torch.equal(past(changed, valid), features)
    changed[0, 1] = 2347
    assert not torch.equal(past(changed, valid)[0], features[0])


NAMES = ("pick up the key", "open the locked door")
SEEN = 5
"""Classes of what is in sight, after one for each subgoal."""


def window_of(gates: str, subgoals: int = 2) -> WindowEncoder:
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(5977, 4)
    return WindowEncoder(embedding, (3, 5, 5), subgoals + SEEN, 8, subgoals, gates, NAMES)


@pytest.mark.parametrize(
    ("gates", "judged", "seen"),
    [("all", True, True), ("judged", True, False), ("words", True, False), ("seen", False, True),
     ("none", False, False)],
)  # fmt: skip
def test_gates_are_learned_from_what_they_say(gates: str, judged: bool, seen: bool) -> None:
    """Features depend on the classes that the gates read, and on no others."""
    window, crops = window_of(gates), torch.randint(2300, 2400, (2, 3, 5, 5))
    semantics, valid = torch.rand(2, 2 + SEEN, 3), torch.ones(2, 3)
    features = window(crops, semantics, valid)
    for rows, matters in ((slice(0, 2), judged), (slice(2, None), seen)):
        changed = semantics.clone()
        changed[:, rows] += 1
        assert torch.equal(window(crops, changed, valid), features) is not matters
    features.sum().backward()
    assert all(p.grad is not None for p in window.parameters())


def test_every_kind_of_gates_is_tested_and_others_are_refused() -> None:
    assert set(GATES) == {"all", "judged", "words", "seen", "none"}
    with pytest.raises(UsageError, match="unknown gates of the encoder semantics 'jugded'"):
        window_of("jugded")
    with pytest.raises(UsageError, match="name a judge"):
        window_of("words", subgoals=0)


def test_gates_by_words_read_the_vector_of_what_was_achieved() -> None:
    """A yes adds its subgoal's vector, no and unreadable (-1) nothing."""
    window = window_of("words")
    semantics = torch.zeros(1, 2 + SEEN, 3)
    semantics[0, :2] = torch.tensor([[1.0, 0.0, 1.0], [0.0, -1.0, 1.0]])
    read = window._read(semantics)[0].T
    assert torch.equal(read[0], window.words[0])
    assert read[1].tolist() == [0.0] * len(window.words[0])
    assert torch.allclose(read[2], window.words.sum(0))


def test_weights_hold_the_words() -> None:
    """An agent that is loaded need not know its subgoals."""
    saved = window_of("words").state_dict()
    torch.manual_seed(1)
    other = WindowEncoder(torch.nn.Embedding(5977, 4), (3, 5, 5), 2 + SEEN, 8, 2, "words")
    other.load_state_dict(saved)
    assert torch.equal(other.words, window_of("words").words)


def test_without_semantics_there_are_no_gates_to_show() -> None:
    assert window_of("none").gates(torch.rand(2, 2 + SEEN, 3), torch.ones(2, 3)) is None
    gates = window_of("judged").gates(torch.rand(2, 2 + SEEN, 3), torch.ones(2, 3))
    assert gates is not None
    assert [tuple(gate.shape) for gate in gates] == [(2, 8), (2, 3)]
