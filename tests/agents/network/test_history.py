"""The last steps as features: earlier crops side by side, and nothing from before an episode."""

import torch

from agents.network.history import PastEncoder


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
