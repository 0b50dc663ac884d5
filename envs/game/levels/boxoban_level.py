"""One level of Boxoban, as MiniHack's text and as NetHack reads it.

The text is MiniHack's (minihack/envs/boxohack.py, minihack/level_generator.py), the bytes are those
to which NetHack's `lev_comp` compiles it.
"""

from __future__ import annotations

from dataclasses import dataclass

from envs.game.levels.code import LevelCode, Position

_MINIHACK = str.maketrans({"#": "F", " ": ".", "@": ".", "$": "."})
"""MiniHack's characters for Boxoban's: iron bars for walls, and floor under what stands on it."""


@dataclass(frozen=True, slots=True)
class BoxobanLevel:
    """A map of walls, boxes, targets and one player, played as boulders and fountains."""

    lines: tuple[str, ...]
    """In Boxoban's characters: `#` wall, `@` player, `$` box, `.` target."""
    flags: tuple[str, ...]
    """Keys of `envs.game.levels.code.FLAGS`."""

    @property
    def rows(self) -> list[str]:
        """The map in MiniHack's characters, in rows of one length."""
        width = max(map(len, self.lines))
        return [line.translate(_MINIHACK).ljust(width) for line in self.lines]

    def places(self, character: str) -> list[Position]:
        """Returns where this one of Boxoban's characters stands, row by row."""
        return [
            (x, y)
            for y, line in enumerate(self.lines)
            if character in line
            for x, other in enumerate(line)
            if other == character
        ]

    def des_file(self) -> str:
        """Returns the level in the language that `lev_comp` reads, to the letter as MiniHack."""
        rows, ((x, y),) = self.rows, self.places("@")
        lines = [
            "", 'MAZE: "mylevel", \' \'', f"FLAGS:{','.join(self.flags)}",
            "INIT_MAP: solidfill,' '", "GEOMETRY:center,center", "MAP", *rows, "ENDMAP",
            f'REGION:(0,0,{len(rows[0])},{len(rows)}),lit,"ordinary"',
            *(f'OBJECT: "boulder", {place}' for place in self.places("$")),
            *(f"FOUNTAIN: {place}" for place in self.places(".")),
            f"BRANCH:({x},{y},{x},{y}),({abs(x - 1)},{abs(y - 1)},{abs(x - 1)},{abs(y - 1)})",
            "",
        ]  # fmt: skip
        return "\n".join(lines)

    def encode(self, version: bytes) -> bytes:
        """Returns the level as `lev_comp` compiles it, see `LevelCode`."""
        code = LevelCode(version)
        code.maze(self.flags, self.rows)
        for place in self.places("$"):
            code.boulder(place)
        for place in self.places("."):
            code.fountain(place)
        code.start(*self.places("@")[0])
        return code.finish()
