"""Makes a player by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calm.errors import unknown
from calm.records import Task
from envs.game.actions import MOVES, english
from envs.players.chance import Random, Sloppy
from envs.players.forager import Forager
from envs.players.half_trained import HalfTrained
from envs.players.player import Array, Player
from envs.players.pusher import Pusher
from envs.players.quest import Quester
from envs.players.scripted import Scripted
from envs.players.skill import SkillPlayer
from envs.tasks import task as find_task
from envs.tasks.skills import MAZES, SKILLS

PLAYERS = ("scripted", "sloppy", "random")
"""Play every task."""
SPECIALISTS = ("quester", "sloppy-quester", "half-trained")
"""Play some: the quests and the like; the tasks with weights in `envs/players/weights`."""

_SHARE_OF_CHANCE = {"scripted": 0.0, "sloppy": 0.3, "random": 1.0}


class Renumbered:
    """Plays as a player of another set of actions; one that is missing here is drawn by chance.

    Args:
        player: plays the actions `names`.
        names: English names of the actions that it knows, by its own index.
        actions: those of the environment.
    """

    def __init__(self, player: Player, names: Sequence[str], actions: Sequence[str]) -> None:
        self.name = player.name
        self._player = player
        self._index = [actions.index(name) if name in actions else None for name in names]
        self._n = len(actions)
        self._rng = np.random.default_rng(0)

    def begin(self, rng: np.random.Generator) -> None:
        """Starts a new episode; all chance in it comes from `rng`."""
        self._rng = rng
        self._player.begin(rng)

    def act(self, arrays: Mapping[str, Array]) -> int:
        """Returns the index of the next action."""
        index = self._index[self._player.act(arrays)]
        return int(self._rng.integers(self._n)) if index is None else index


def _scripted(task: Task) -> Player:
    """Returns the scripted player for any order of actions; its own begins with the moves."""
    script: type[Scripted] = Scripted
    if task.id in MAZES:
        script = Forager
    elif task.id.startswith(("MiniHack-Sokoban", "MiniHack-Boxoban-")):
        script = Pusher
    moves = tuple(english(move) for move in MOVES)
    if task.actions[: len(moves)] == moves:
        return script(task.actions)
    names = (*moves, *(name for name in task.actions if name not in moves))
    return Renumbered(script(names), names, task.actions)


def make_player(name: str, task: str | Task) -> Player:
    """Returns the player of that name for a task.

    Args:
        name: one of `PLAYERS` or `SPECIALISTS`.
        task: what is played, or its id; its actions are those of the environment.

    Raises:
        UsageError: no such player, or it does not play this task.
    """
    task = find_task(task) if isinstance(task, str) else task
    skill = SKILLS.get(task.id)
    if name in PLAYERS and skill is not None and skill.task.actions == task.actions:
        return SkillPlayer(skill, _SHARE_OF_CHANCE[name])
    if name == "random":
        return Random(len(task.actions))
    if name == "scripted":
        return _scripted(task)
    if name == "sloppy":
        return Sloppy(_scripted(task), len(task.actions))
    if name == "quester":
        return Quester(task)
    if name == "sloppy-quester":
        return Sloppy(Quester(task), len(task.actions))
    if name == "half-trained":
        return HalfTrained(task.id)
    raise unknown("player", name, (*PLAYERS, *SPECIALISTS))
