"""The reward of a run in words, as its report has it."""

import pytest

from agents.report.reward import reward_in_words
from agents.training.config import TrainConfig

IDLE = "-0.01 for every step in which no game time passes"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"judge": "none"}, f"the task's own, without its {IDLE}"),
        ({"judge": "none", "penalty": True}, f"the task's own, with its {IDLE}"),
        (
            {"judge": "rules", "weight": 0.3},
            f"the task's own, without its {IDLE}; 0.3 for each subgoal that rules judges achieved,"
            " once an episode",
        ),
        (
            {"judge": "openai:m", "shaping": "every", "weight": 2},
            f"the task's own, without its {IDLE}; 2 each time that openai:m judges a subgoal"
            " achieved",
        ),
        (
            {"judge": "truth", "shaping": "potential", "weight": 1.5},
            f"the task's own, without its {IDLE}; 1.5 in all for the subgoals that truth judges"
            " achieved, as a potential",
        ),
    ],
)
def test_what_pays_is_said(settings: dict, words: str) -> None:
    assert reward_in_words(TrainConfig(**settings)) == words
