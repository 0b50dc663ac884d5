"""What an agent was trained on, in words, from its settings."""

from __future__ import annotations

from agents.training.config import TrainConfig

_PAYS = {
    "every": "{weight:g} each time that {judge} judges a subgoal achieved",
    "once": "{weight:g} for each subgoal that {judge} judges achieved, once an episode",
    "potential": "{weight:g} in all for the subgoals that {judge} judges achieved, as a potential",
}


def reward_in_words(config: TrainConfig) -> str:
    """The reward that a run's settings make: the task's own, the idle penalty, the credit."""
    idle = "-0.01 for every step in which no game time passes"
    words = f"the task's own, {'with' if config.penalty else 'without'} its {idle}"
    if config.judge == "none":
        return words
    pays = _PAYS[config.shaping].format(weight=config.weight, judge=config.judge)
    return f"{words}; {pays}"
