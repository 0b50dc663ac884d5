"""Puts the reward that an agent is trained on into words, from its settings."""

from __future__ import annotations

from agents.training.settings.config import TrainConfig

_PAYS = {
    "every": "{weight} each time that {judge} judges a subgoal achieved",
    "once": "{weight} for each subgoal that {judge} judges achieved, once an episode",
    "potential": "{weight} in all for the subgoals that {judge} judges achieved, as a potential",
}
_NEW = "for each {} that is new in its episode"
_BONUS_PAYS = {
    "novelty": _NEW.format("event"),
    "novelty:message": _NEW.format("message"),
    "novelty:cell": _NEW.format("cell of the map"),
    "novelty:crop": _NEW.format("map around the hero"),
    "novelty:relevant": _NEW.format("event that the judge says achieves something and"),
    "rnd": "for each deviation of the error of random network distillation",
    "e3b": "for each deviation of the elliptical episodic bonus",
}


def reward_in_words(config: TrainConfig) -> str:
    """Returns the reward of a run: the task's own, the idle penalty, the credit, the bonus."""
    idle = "-0.01 for every step in which no game time passes"
    words = f"the task's own, {'with' if config.penalty else 'without'} its {idle}"
    if config.judge != "none":
        weight = f"{config.weight:g}"
        if config.weight_end is not None:
            weight += f" (in the end {config.weight_end:g})"
        words += f"; {_PAYS[config.shaping].format(weight=weight, judge=config.judge)}"
    if config.bonus != "none":
        words += f"; {config.bonus_weight:g} {_BONUS_PAYS[config.bonus]}"
    return words
