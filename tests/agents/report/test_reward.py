"""The reward of a run in words, as its report has it."""

import pytest

from agents.bonus.make import BONUSES
from agents.report.reward import reward_in_words
from agents.training.settings.config import TrainConfig

IDLE = "-0.01 for every step in which no game time passes"


def test_every_bonus_has_its_words() -> None:
    for bonus in BONUSES[1:]:
        assert reward_in_words(TrainConfig(bonus=bonus)).count("; ") == 2, bonus


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
            {"judge": "none", "bonus": "novelty", "bonus_weight": 0.2},
            f"the task's own, without its {IDLE}; 0.2 for each event that is new in its episode",
        ),
        (
            {"judge": "rules", "weight": 0.3, "bonus": "e3b"},
            f"the task's own, without its {IDLE}; 0.3 for each subgoal that rules judges achieved,"
            " once an episode; 0.01 for each deviation of the elliptical episodic bonus",
        ),
        (
            {"judge": "rules", "weight": 0.3, "weight_end": 0},
            f"the task's own, without its {IDLE}; 0.3 (in the end 0) for each subgoal that rules"
            " judges achieved, once an episode",
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
