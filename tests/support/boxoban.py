"""A folder of Boxoban's levels, written by us."""

from pathlib import Path

ONE_PUSH = """######
#    #
# @$.#
#    #
######
"""
TWO_BOXES = """########
#  #   #
# .$@  #
#  $ . #
#      #
########
"""
SOUTH = """#####
# @ #
# $ #
#   #
# . #
#####
"""
LEVELS = (ONE_PUSH, TWO_BOXES, SOUTH)


SETS = ("hard", "medium/train", "unfiltered/train")
"""The folders that MiniHack's ids play."""


def write_levels(
    folder: Path, set_and_mode: str = "hard", levels: tuple[str, ...] = LEVELS
) -> Path:
    """Writes levels as the published files have them, two in the first; the folder of all sets."""
    place = folder / set_and_mode
    place.mkdir(parents=True)
    numbered = [f"; {i}\n{level}" for i, level in enumerate(levels)]
    (place / "000.txt").write_text("\n".join(numbered[:2]))
    if len(levels) > 2:
        (place / "001.txt").write_text("\n".join(numbered[2:]) + "\n")
    return folder
