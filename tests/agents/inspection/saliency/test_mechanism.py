"""Where an encoder attends by its own mechanism."""

import torch

from agents.inspection.saliency.importance import stretched
from agents.inspection.saliency.mechanism import attended, spread
from agents.inspection.saliency.occlusion import known_cells
from agents.training.settings.config import TrainConfig
from tests.support.untrained import agent_and_crops


def test_weights_are_of_each_cell_and_stretched_over_what_is_known() -> None:
    config = TrainConfig(
        task="Room-5x5",
        encoder="gaussian",
        keys=("glyphs_crop",),
        n_envs=2,
        n_steps=32,
        features_dim=16,
    )
    model, observations = agent_and_crops(config)
    weights = attended(model, observations)
    assert weights is not None
    known = known_cells(observations)
    importance = stretched(weights, known)
    assert (importance[~known.numpy()] == 0).all()
    for one, cells in zip(importance, known.numpy(), strict=True):
        assert (one[cells].min(), one[cells].max()) == (0, 1)


def test_a_cell_between_two_tokens_gets_the_mean_of_both() -> None:
    tokens = torch.tensor([[[1.0, 3.0, 7.0], [5.0, 9.0, 11.0]]])
    cells = spread(tokens, (3, 5))
    assert cells[0].tolist() == [[1, 2, 3, 5, 7], [3, 4.5, 6, 7.5, 9], [5, 7, 9, 10, 11]]
    assert spread(tokens, (4, 6))[0, 3].tolist() == [5, 7, 9, 10, 11, 11]  # the last has one token
