"""Finds settings that were named and change nothing, such as a weight without a judge.

Whoever names one expects it to do something. Configs of files hold every setting, so that only what
was named on a command line is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agents.training.settings.config import TrainConfig
from calm.errors import UsageError
from calm.judges import teacher_of

OF_JUDGE = (
    *("weight", "weight_end", "shaping", "subgoals", "form", "thresholds"),
    *("ask", "ask_again", "most_pending", "patience"),
)
"""Settings of judged credit."""
PAYS_ALWAYS = ("rnd", "e3b")
"""Bonuses that pay at every step, so that no episode goes unpaid for long."""


def refuse_idle(named: Mapping[str, Any], configs: Sequence[TrainConfig]) -> None:
    """Raises where a setting that was named changes nothing in any of the runs.

    One that is named as off (0, none, null, false) may be so anywhere.

    Args:
        named: values by fields of `TrainConfig`.
        configs: of the runs; of none nothing is refused.

    Raises:
        UsageError: which one, why, and what to do.
    """
    idle = [_idle(config) for config in configs]
    for name, value in named.items():
        off = not value or value == "none"
        if idle and not off and all(name in reasons for reasons in idle):
            of_all = " in any of these runs" if len(idle) > 1 else ""
            raise UsageError(f"{name} would change nothing{of_all}: {idle[-1][name]}")


def _idle(config: TrainConfig) -> dict[str, str]:
    """Returns the settings that change nothing beside the others, with the reason of each."""
    reasons: dict[str, str] = {}
    if config.shaping == "potential":
        reasons["weight_end"] = (
            "the weight of a potential stays, for only so does it keep what is best: take"
            " shaping=once, or leave it out"
        )
    if config.ask != "later":
        reasons["most_pending"] = "training waits for every answer: take ask=later, or leave it out"
    if not teacher_of(config.judge).startswith("openai:"):
        reasons["patience"] = (
            f"it is of an endpoint that may not answer, and {config.judge} has none: take an"
            " openai: judge, or leave it out"
        )
    if config.judge == "none":
        why = "it is of judged credit, and there is no judge: name a judge, or leave it out"
        reasons |= dict.fromkeys(OF_JUDGE, why)
    if config.bonus == "none":
        reasons["bonus_weight"] = (
            "it weighs a bonus, and there is none: name a bonus, or leave it out"
        )
    if config.bonus in PAYS_ALWAYS:
        reasons["stall"] = (
            "it cuts episodes that are paid nothing for so long, and"
            f" {config.bonus} pays at every step: take bonus=novelty, or leave it out"
        )
    elif config.judge == config.bonus == "none":
        reasons["stall"] = (
            "it cuts episodes that are paid nothing for so long, and nothing pays: name a judge or"
            " a bonus, or leave it out"
        )
    if "glyphs_crop" not in config.keys:
        reasons["crop"] = (
            "the policy sees no crop: add glyphs_crop to the keys (they are"
            f" {', '.join(config.keys)}), or leave it out"
        )
    if not config.looks_back:
        reasons["window"] = (
            "nothing looks back: take memory=stack or the encoder semantics, or leave it out"
        )
    if config.memory != "lstm":
        reasons["values_train_memory"] = "it is of memory=lstm: take that, or leave it out"
    if not config.has_schedule:
        reasons["schedule_steps"] = (
            "no setting changes over training: set learning_rate_end, ent_coef_end or weight_end,"
            " or leave it out"
        )
    return reasons
