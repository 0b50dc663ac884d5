"""Levels are written as NetHack's compiler does, by that program itself where ours would differ."""

import pytest

from envs.game.levels.code import FLAGS, VERSION_BYTES, CheckedCompiler, LevelCode
from envs.game.levels.compiler import lev_comp


class Room:
    """A room with one thing in it."""

    def __init__(self, flags: tuple[str, ...] = ("hardfloor",), wrong: bool = False) -> None:
        self.flags = flags
        self.wrong = wrong

    def des_file(self) -> str:
        return "\n".join(
            [
                'MAZE: "mylevel", \' \'', f"FLAGS:{','.join(self.flags)}",
                "INIT_MAP: solidfill,' '", "GEOMETRY:center,center", "MAP", "|||||", "|...|",
                "|||||", "ENDMAP", 'REGION:(0,0,5,3),lit,"ordinary"', 'OBJECT: "boulder", (1,1)',
                "FOUNTAIN: (2,1)", "BRANCH:(3,1,3,1),(2,0,2,0)", "",
            ]
        )  # fmt: skip

    def encode(self, version: bytes) -> bytes:
        code = LevelCode(version)
        code.maze(self.flags, ("|||||", "|...|", "|||||"))
        code.boulder((1, 1))
        code.fountain((1, 1) if self.wrong else (2, 1))
        code.start(3, 1)
        return code.finish()


@pytest.mark.parametrize("flags", [*((flag,) for flag in FLAGS), tuple(FLAGS)], ids=",".join)
def test_flags_are_those_of_the_compiler(flags: tuple[str, ...]) -> None:
    room = Room(flags)
    compiled = lev_comp(room.des_file())
    assert room.encode(compiled[:VERSION_BYTES]) == compiled


def test_levels_are_compiled_by_nethack_where_the_first_would_differ() -> None:
    compiled = lev_comp(Room().des_file())
    assert CheckedCompiler(Room(wrong=True)).compile(Room(wrong=True)) == compiled
    assert CheckedCompiler(Room()).compile(Room(wrong=True)) != compiled  # not looked at again
