"""One level of the kind that MiniHack makes of minigrid's grids, as text and as NetHack reads it.

The text is MiniHack's (minihack/envs/minigrid.py, minihack/level_generator.py), the bytes are those
to which NetHack's `lev_comp` compiles it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envs.game.levels.code import LevelCode, Position


@dataclass(frozen=True, slots=True)
class GridLevel:
    """A map, what stands on it, and how many monsters and traps are strewn over it."""

    rows: tuple[str, ...]
    """Of one length; in MiniHack's characters."""
    start: Position
    goal: Position | None
    """Of the staircase down; None leaves it to the game."""
    doors: tuple[Position, ...]
    door_state: str
    """A key of `envs.game.levels.code.DOORS`."""
    monsters: int
    traps: int

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the map."""
        return len(self.rows[0]), len(self.rows)

    def des_file(self) -> str:
        """Returns the level in the language that `lev_comp` reads, to the letter as MiniHack."""
        (width, height), (x, y) = self.size, self.start
        lines = [
            "", 'MAZE: "mylevel", \' \'', "FLAGS:hardfloor", "INIT_MAP: solidfill,' '",
            "GEOMETRY:center,center", "MAP", *self.rows, "ENDMAP",
            f'REGION:(0,0,{width},{height}),lit,"ordinary"',
            f"STAIR:{self.goal or 'random'},down",
            f"BRANCH:({x},{y},{x},{y}),({abs(x - 1)},{abs(y - 1)},{abs(x - 1)},{abs(y - 1)})",
            *(f"DOOR:{self.door_state},{door}" for door in self.doors),
            "WALLIFY",
            *["MONSTER:random,random"] * self.monsters,
            *['TRAP:"teleport",random'] * self.traps,
            "",
        ]  # fmt: skip
        return "\n".join(lines)

    def encode(self, version: bytes) -> bytes:
        """Returns the level as `lev_comp` compiles it, see `LevelCode`."""
        code = LevelCode(version)
        code.maze(("hardfloor",), self.rows)
        code.stairs_down(self.goal)
        code.start(*self.start)
        for door in self.doors:
            code.door(door, self.door_state)
        code.wallify()
        for _ in range(self.monsters):
            code.any_monster()
        for _ in range(self.traps):
            code.teleport_trap()
        return code.finish()


def read_grid(grid_env: Any, wall: str, door_state: str, monsters: int, traps: int) -> GridLevel:
    """Returns the level that MiniHack makes of a minigrid environment's grid.

    Its lowest row is left out, and so are rows in which there is nothing; those above the first row
    in which there is something shift the positions up.

    Args:
        grid_env: minigrid's environment, unwrapped.
        wall: MiniHack's character for a wall.
        door_state, monsters, traps: as in `GridLevel`.
    """
    signs = {"wall": wall, "door": "+", "floor": ".", "lava": "L", "goal": "."}
    cells, width, height = grid_env.grid.grid, grid_env.grid.width, grid_env.grid.height
    goal: Position | None = None
    doors: list[Position] = []
    rows: list[str] = []
    above, begun = 0, False
    for y in range(height):
        row = cells[y * width : (y + 1) * width]
        if not any(row):
            above += not begun
            continue
        begun = True
        characters = ["."] * width
        for x in [x for x, cell in enumerate(row) if cell is not None]:
            kind = row[x].type
            characters[x] = signs.get(kind, "")
            if kind == "door":
                doors.append((x, y - above))
            elif kind == "goal":
                goal = x, y - above
        text = "".join(characters)
        if y < height - 1 and text.strip("."):
            # Outside of the first and the last wall there is rock.
            text = text.replace(".", " ", text.index(wall))[::-1]
            rows.append(text.replace(".", " ", text.index(wall))[::-1])
    x, y = (int(coordinate) for coordinate in grid_env.agent_pos)
    longest = max(map(len, rows))
    return GridLevel(
        tuple(row.ljust(longest) for row in rows),
        (x, y - above),
        goal,
        tuple(doors),
        door_state,
        monsters,
        traps,
    )
