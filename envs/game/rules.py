"""Reads a task's rules from MiniHack's own object, and which path steps it exactly."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

from envs.game.actions import english
from envs.game.conditions import Condition, read_conditions

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # minihack 1.0.2 imports pkg_resources
    from minihack.base import MiniHack
    from minihack.envs.boxohack import BoxoHack
    from minihack.envs.keyroom import MiniHackKeyDoor
    from minihack.envs.minigrid import MiniGridHack
    from minihack.envs.sokoban import Sokoban
    from nle import nethack
    from nle.env.base import NLE
    from nle.env.tasks import NetHackScore

SteppingPath = Literal["rules", "keyroom", "minihack"]
"""How a task is stepped: our rules, our rules with KeyRoom's APPLY macro, or MiniHack's `step`."""

RULE_KEYS = ("message", "blstats", "program_state", "internal")
"""What MiniHack's rules read at every step."""
MACRO_KEYS = ("glyphs", "inv_glyphs", "inv_letters")
"""What KeyRoom's macro reads besides."""

MOST_STEPS, MOST_ACTIONS = 2**31 - 1, 256
"""Steps of an episode and actions that our counters and tables hold."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a task, as MiniHack's object has them."""

    path: SteppingPath
    presses: tuple[int, ...]
    """Key code of every action, by index."""
    actions: tuple[str, ...]
    """English name of every action, by index."""
    ends_on_stairs: bool
    """Whether the staircase down is all that wins: no reward manager, no ending of its own."""
    max_steps: int
    """Steps after which an episode is truncated."""
    allow_all_yn: bool
    """Whether every y/n question is left to the agent."""
    allow_all_modes: bool
    """Whether menus, prompts and --More-- are left to the agent too."""
    reward_win: float
    """Of the step that wins."""
    reward_lose: float
    """Of the step in which the hero dies or time runs out."""
    penalty_step: float
    """Added (negative) for a step in which no game time passes."""
    reward_step: float
    """Of a step that ends nothing."""
    to_be_gone: str
    """Symbol on the map of what has to be gone before the stairs win: Sokoban's pits; or ""."""
    covered_by: str
    """Symbol of what has to cover it instead, and then wins without stairs: Boxoban's boulders on
    fountains; or ""."""
    reward_gone: float
    """Of a step for each one of these that it makes fewer."""
    conditions: tuple[Condition, ...]
    """What the reward manager looks for. Where there are some, they decide beside the stairs when
    an episode is won, and they alone pay, and none of the rewards above but the penalty."""
    spawn_monsters: bool
    """Whether the game makes new monsters as time goes by."""
    fix_moon_phase: bool
    """Whether the level seed decides the phase of the moon, rather than the calendar."""


def read_rules(env: Any) -> Rules:
    """Returns the rules in MiniHack's environment object, the path that steps it among them."""
    cls = type(env)
    # The class whose goal and rewards it has.
    family = next((b for b in (Sokoban, BoxoHack) if cls._reward_fn is b._reward_fn), MiniHack)
    ours = {
        "reset": (family, MiniGridHack),
        "step": (MiniHack, MiniHackKeyDoor),
        "_reward_fn": (family,),
        "_is_episode_end": (family,),
        "_get_time_penalty": (NetHackScore,),
        "_get_end_status": (NLE,),
        "_check_abort": (NLE,),
        "_perform_known_steps": (NLE,),
        "seed": (NLE, MiniGridHack, BoxoHack),
    }
    if isinstance(env, BoxoHack):
        names = ("get_lvl_gen", "get_env_map", "_count_boulders_on_fountains")
        ours |= dict.fromkeys(names, (BoxoHack,))
    if isinstance(env, MiniGridHack):
        ours |= {"get_env_desc": (MiniGridHack,), "get_env_map": (MiniGridHack,)}
    counts = family is not MiniHack
    if counts:
        ours["_object_positions"] = (family,)
    conditions = read_conditions(env.reward_manager)
    plain = (
        all(
            any(getattr(cls, name) is getattr(base, name) for base in bases)
            for name, bases in ours.items()
        )
        and (env.reward_manager is None or (conditions is not None and not counts))
        and env._level_seeds is None
        and len(env.actions) <= MOST_ACTIONS
        and env.penalty_mode == "constant"
        and env.penalty_time == 0
    )
    path: SteppingPath = "minihack"
    if plain:
        path = "keyroom" if cls.step is MiniHackKeyDoor.step else "rules"
    return Rules(
        path=path,
        presses=tuple(int(action) for action in env.actions),
        actions=tuple(english(action) for action in env.actions),
        ends_on_stairs=cls._is_episode_end is MiniHack._is_episode_end
        and cls._reward_fn is MiniHack._reward_fn
        and env.reward_manager is None,
        max_steps=int(min(env._max_episode_steps, MOST_STEPS)),
        allow_all_yn=bool(env._allow_all_yn_questions),
        allow_all_modes=bool(env._allow_all_modes),
        reward_win=1.0 if counts else float(env.reward_win),
        reward_lose=0.0 if counts else float(env.reward_lose),
        penalty_step=0.0 if counts else float(env.penalty_step),
        reward_step=float(env._time_penalty) if counts else 0.0,
        to_be_gone={Sokoban: "^", BoxoHack: "{"}.get(family, ""),
        covered_by="`" if family is BoxoHack else "",
        reward_gone=float(env._reward_shaping_coefficient) if counts else 0.0,
        conditions=conditions or (),
        spawn_monsters=bool(env.spec.kwargs.get("spawn_monsters", False)),
        fix_moon_phase=bool(env.spec.kwargs.get("fix_moon_phase", False)),
    )


def rule_keys(rules: Rules) -> tuple[str, ...]:
    """Returns the nle keys that must be filled to step a task by these rules."""
    if rules.path == "minihack":
        return tuple(nethack.OBSERVATION_DESC)
    keys: tuple[str, ...] = RULE_KEYS
    if rules.path == "keyroom":
        keys += MACRO_KEYS
    if rules.to_be_gone:
        keys += ("chars",)
    if any(condition.kind == "deed" for condition in rules.conditions):
        keys += ("glyphs",)
    return keys
