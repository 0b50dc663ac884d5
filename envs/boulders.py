"""How to push a boulder into the river: a search over places of the hero and of one boulder."""

from __future__ import annotations

from collections import deque

from envs.terrain import COLUMNS, MOVES, ROWS, Cell, Terrain


def push_plan(terrain: Terrain, boulder: Cell, target: Cell) -> list[int] | None:
    """The fewest moves that push one boulder into a cell of water or lava; None if there is no way.

    Args:
        terrain: other boulders, walls and water stay where they are.
        boulder: where the boulder is.
        target: the cell to fill.
    """
    start = (terrain.hero, boulder)
    came: dict[tuple[Cell, Cell], tuple[tuple[Cell, Cell], int]] = {}
    known = {start}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        hero, stone = state
        for move, (dy, dx) in enumerate(MOVES):
            to = (hero[0] + dy, hero[1] + dx)
            if not (0 <= to[0] < ROWS and 0 <= to[1] < COLUMNS):
                continue
            if to == stone:
                beyond = (to[0] + dy, to[1] + dx)
                if beyond == target:
                    return _moves(came, start, state, move)
                if not _free(terrain, beyond, boulder):
                    continue
                after = (to, beyond)
            elif _free(terrain, to, boulder):
                after = (to, stone)
            else:
                continue
            if after not in known:
                known.add(after)
                came[after] = (state, move)
                queue.append(after)
    return None


def _free(terrain: Terrain, cell: Cell, boulder: Cell) -> bool:
    # The place the boulder has left is ground too.
    inside = 0 <= cell[0] < ROWS and 0 <= cell[1] < COLUMNS
    return inside and (cell == boulder or terrain.walkable(cell))


def _moves(
    came: dict[tuple[Cell, Cell], tuple[tuple[Cell, Cell], int]],
    start: tuple[Cell, Cell],
    state: tuple[Cell, Cell],
    last: int,
) -> list[int]:
    moves = [last]
    while state != start:
        state, move = came[state]
        moves.append(move)
    return moves[::-1]


def best_push(terrain: Terrain) -> list[int] | None:
    """Moves that bring some boulder into the river, where it helps a crossing most.

    The row that lacks the fewest fills comes first, then the shortest plan.
    """
    liquid = [*terrain.find("water"), *terrain.find("lava")]
    if not liquid:
        return None
    boulders = terrain.find("boulder")
    lacking = {row: sum(y == row for y, _ in liquid) for row, _ in liquid}
    for least in sorted(set(lacking.values())):
        plans = []
        for row in (r for r, n in lacking.items() if n == least):
            target = min((y, x) for y, x in liquid if y == row)
            plans += [push_plan(terrain, boulder, target) for boulder in boulders]
        found = [plan for plan in plans if plan]
        if found:
            return min(found, key=len)
    return None
