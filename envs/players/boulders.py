"""Plans how to push a boulder to where it belongs, by a search over places of hero and boulder."""

from __future__ import annotations

from envs.game.glyphs import COLUMNS, ROWS
from envs.players.terrain import MOVES, Cell, Terrain

# Cells as one number each, in a map with a border, so that every move is one addition.
_WIDTH = COLUMNS + 2
_STEPS = tuple(dy * _WIDTH + dx for dy, dx in MOVES)
_SIZE = (ROWS + 2) * _WIDTH


def push_plan(
    terrain: Terrain, boulder: Cell, targets: set[Cell], moves: int = len(MOVES)
) -> list[int] | None:
    """Returns the fewest moves that push one boulder into one of the cells; None if none do.

    Args:
        terrain: other boulders, walls and water stay where they are.
        boulder: where the boulder is.
        targets: cells of water or lava, pits, or other cells that it shall come to.
        moves: how many of `MOVES` may be used; the first four are not diagonal.
    """
    free = bytearray(_SIZE)
    for y in range(ROWS):
        for x in range(COLUMNS):
            free[_number((y, x))] = terrain.walkable((y, x))
    free[_number(boulder)] = 1  # the place it leaves is ground too
    goals = {_number(cell) for cell in targets}
    start = _number(terrain.hero) * _SIZE + _number(boulder)
    came_from = {start: (start, -1)}
    level = [start]
    while level:
        following = []
        for state in level:
            hero, stone = divmod(state, _SIZE)
            for move, step in enumerate(_STEPS[:moves]):
                to = hero + step
                if to == stone:
                    beyond = to + step
                    if beyond in goals:
                        return [*_moves(came_from, state), move]
                    if not free[beyond]:
                        continue
                    after = to * _SIZE + beyond
                elif free[to]:
                    after = to * _SIZE + stone
                else:
                    continue
                if after not in came_from:
                    came_from[after] = (state, move)
                    following.append(after)
        level = following
    return None


def _number(cell: Cell) -> int:
    """Returns a cell's number in the map with a border."""
    return (cell[0] + 1) * _WIDTH + cell[1] + 1


def _moves(came_from: dict[int, tuple[int, int]], state: int) -> list[int]:
    """Returns the moves that led to a state, by the state and move before each."""
    moves = []
    while came_from[state][1] >= 0:
        state, move = came_from[state]
        moves.append(move)
    return moves[::-1]


def best_push(terrain: Terrain) -> list[int] | None:
    """Returns moves that bring some boulder into the river, where it helps a crossing most.

    That is in the row whose nearest water lies farthest east: where fills have been made before.
    """
    nearest: dict[int, int] = {}
    for y, x in (*terrain.find("water"), *terrain.find("lava")):
        nearest[y] = min(x, nearest.get(y, COLUMNS))
    boulders = terrain.find("boulder")
    for column in sorted(set(nearest.values()), reverse=True):
        targets = {(y, x) for y, x in nearest.items() if x == column}
        plans = [plan for b in boulders if (plan := push_plan(terrain, b, targets))]
        if plans:
            return min(plans, key=len)
    return None
