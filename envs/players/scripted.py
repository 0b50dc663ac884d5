"""Plays the navigation tasks by a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from envs.game.glyphs import CARRIED, CARRIED_OF_GLYPH, ROWS, STONE, THING, THING_OF_GLYPH, WALLS
from envs.players.boulders import best_push
from envs.players.player import Array
from envs.players.terrain import MOVES, Cell, Terrain


class Scripted:
    """Finishes the task where it can: takes the key, opens doors, fills rivers, finds the stairs.

    Solves KeyRoom, Room, Corridor and MazeWalk mostly, River often; of Quest it only explores.

    Args:
        actions: English names of the environment's actions; the first eight are the moves.
    """

    name = "scripted"

    def __init__(self, actions: Sequence[str]) -> None:
        self._actions = tuple(actions)
        self._rng = np.random.default_rng(0)
        self.begin(self._rng)

    def begin(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._map = Terrain()
        self._plan: list[int] = []
        self._kick: int | None = None
        self._stuck = 0
        self._last: Cell | None = None
        self._locked: set[Cell] = set()
        self._hopeless = b""
        self._expected: Cell | None = None

    def act(self, arrays: Mapping[str, Array]) -> int:
        here = self._map
        here.look(arrays["glyphs"], arrays["blstats"])
        reply = self._reply(arrays)
        if reply is not None:
            return reply
        self._stuck = self._stuck + 1 if here.hero == self._last else 0
        self._last = here.hero
        if self._stuck >= 12:  # something unforeseen is in the way
            self._plan = []
            return int(self._rng.integers(8))
        if b"This door is locked" in bytes(arrays["message"]):
            self._locked.update(c for _, c in self._doors_beside())
        for idea in self._ideas():
            action = idea(arrays)
            if action is not None:
                return action
        return int(self._rng.integers(8))

    def _ideas(self) -> tuple[Callable[[Mapping[str, Array]], int | None], ...]:
        """Returns functions to try in turn, the most urgent first.

        Each takes the observation and returns the index of an action, or None where it does not
        apply.
        """
        return (self._to_stairs, self._key, self._river, self._explore, self._search)

    def _reply(self, arrays: Mapping[str, Array]) -> int | None:
        """Returns the action that answers the game's question; None where it asks nothing."""
        if not arrays["internal"][1]:
            return None
        answer, self._kick = self._kick, None  # only our own kick asks
        return answer if answer is not None else int(self._rng.integers(8))

    def _can(self, action: str) -> int | None:
        """Returns the index of an action by its English name; None where there is none."""
        return self._actions.index(action) if action in self._actions else None

    def _to_stairs(self, arrays: Mapping[str, Array]) -> int | None:
        stairs = self._map.find("staircase down")
        way = self._map.path(lambda cell: cell in stairs) if stairs else None
        return way[0][0] if way else None

    def _key(self, arrays: Mapping[str, Array]) -> int | None:
        pick, apply = self._can("pick up"), self._can("apply")
        if pick is None or apply is None:
            return None
        if not _holds(arrays, "key"):
            keys = self._map.find("key")
            way = self._map.path(lambda cell: cell in keys) if keys else None
            if way is None:
                return None
            return way[0][0] if way else pick
        if self._doors_beside():
            return apply
        doors = self._map.find("closed door")
        way = self._map.path(lambda cell: _beside(cell, doors)) if doors else None
        return way[0][0] if way else None

    def _river(self, arrays: Mapping[str, Array]) -> int | None:
        here = self._map
        if not here.find("boulder") or not (here.find("water") or here.find("lava")):
            return None
        if here.hero != self._expected:
            self._plan = []  # something came between
        if not self._plan:
            scene = here.glyphs.tobytes()
            if scene == self._hopeless:
                return None
            plan = best_push(here)
            if plan is None:
                self._hopeless = scene
                return None
            self._expected = here.hero
            # One more: onto the filled cell, from where the next ones can be seen.
            self._plan = [*plan, plan[-1]]
        dy, dx = MOVES[self._plan[0]]
        y, x = here.hero
        if THING_OF_GLYPH[here.glyphs[y + dy, x + dx]] in _LIQUID:
            self._plan = []  # the boulder sank without filling it
            return self._river(arrays)
        self._expected = (y + dy, x + dx)
        return self._plan.pop(0)

    def _explore(self, arrays: Mapping[str, Array]) -> int | None:
        here = self._map
        kick = self._can("kick")
        for move, door in self._doors_beside():
            if door not in self._locked:
                return move  # doors open by walking into them
            if kick is not None:
                self._kick = move
                return kick
        way = here.path(here.frontier)
        if way is None and kick is not None:
            doors = here.find("closed door")
            way = here.path(lambda cell: _beside(cell, doors)) if doors else None
        return way[0][0] if way else None

    def _search(self, arrays: Mapping[str, Array]) -> int | None:
        """Searches for hidden doors at the least searched cells, or wanders."""
        here = self._map
        search = self._can("search")
        if search is None:
            ways = [(int(here.visits[to]), m) for m, to in here.steps(here.hero)]
            if not ways:  # shut in: water all around, or boulders
                return None
            return int(self._rng.choice([m for visits, m in ways if visits == min(ways)[0]]))
        if here.searched[here.hero] < 8:
            here.searched[here.hero] += 1
            self._stuck = 0
            return search
        way = here.path(lambda cell: here.searched[cell] < 8 and _wall_near(here, cell))
        return way[0][0] if way else None

    def _doors_beside(self) -> list[tuple[int, Cell]]:
        """Returns the closed doors next to the hero, each as (move, cell); not diagonally."""
        doors = set(self._map.find("closed door"))
        y, x = self._map.hero
        beside = [(move, (y + dy, x + dx)) for move, (dy, dx) in enumerate(MOVES[:4])]
        return [(move, cell) for move, cell in beside if cell in doors]


_LIQUID = (THING["water"], THING["lava"])


def _holds(arrays: Mapping[str, Array], what: str) -> bool:
    """Returns whether an object of a kind of `CARRIED` is in the inventory."""
    return bool((CARRIED_OF_GLYPH[arrays["inv_glyphs"]] == CARRIED.index(what)).any())


def _beside(cell: Cell, others: list[Cell]) -> bool:
    """Returns whether a cell lies beside one of others; not diagonally."""
    return any(abs(cell[0] - y) + abs(cell[1] - x) == 1 for y, x in others)


def _wall_near(here: Terrain, cell: Cell) -> bool:
    """Returns whether a wall or something unknown lies next to a cell."""
    y, x = cell
    around = here.glyphs[max(y - 1, 0) : min(y + 2, ROWS), max(x - 1, 0) : x + 2]
    return bool(np.isin(around, WALLS).any() or (around == STONE).any())
