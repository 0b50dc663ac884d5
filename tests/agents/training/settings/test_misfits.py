"""Settings that can't go together are told with the way out."""

from typing import Any

import pytest

from agents.training.settings.config import TrainConfig, make_config
from agents.training.settings.misfits import misfit
from calm.errors import UsageError


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"n_envs": 4096, "n_steps": 4096}, "16,777,216 transitions.*at most 1,048,576"),
        ({"n_envs": 3, "n_steps": 5, "minibatches": 8}, "8 minibatches leave fewer than two"),
        ({"memory": "lstm", "n_envs": 512, "n_steps": 128, "features_dim": 8192}, "most 1 GiB"),
        ({"bonus": "novelty:relevant", "judge": "none"}, "name a judge .*or take bonus=novelty"),
        ({"memory": "stack", "window": 1}, "at least 2, got window=1"),
        ({"memory": "stack", "encoder": "semantics"}, "looks back `window` steps itself"),
        ({"memory": "stack", "keys": ("glyphs",)}, "add glyphs_crop"),
        (
            {"augment": "dihedral", "keys": ["glyphs"]},
            "need glyphs_crop and not glyphs, got glyphs",
        ),
        ({"augment": "dihedral", "keys": ["glyphs", "glyphs_crop"]}, "need glyphs_crop and not"),
        ({"augment": "dihedral", "keys": ["blstats"]}, "got blstats; set augment=none"),
        ({"augment": "dihedral", "memory": "lstm"}, "can't go with memory=lstm"),
    ],
)
def test_what_can_not_go_together_is_told(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make_config(values)


def test_what_goes_together_is_let_be() -> None:
    together = {"memory": "stack", "augment": "dihedral", "shaping": "potential"}
    for values in ({}, together, {"bonus": "novelty:relevant", "weight": 0}, {"memory": "lstm"}):
        assert misfit(TrainConfig(**values)) == ""
