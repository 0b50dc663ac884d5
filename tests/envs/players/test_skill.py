"""The player of skill tasks, from observations made by hand."""

from typing import Any

import numpy as np
import pytest
from nle import nethack

from envs.game.glyphs import NO_GLYPH, ROOM_FLOORS
from envs.players.skill import SkillPlayer
from envs.tasks.skills import SKILLS, glyphs_of

WEAR = SKILLS["MiniHack-Wear-v0"]
ROBE = int(glyphs_of("robe")[0])


def observation(
    hero: tuple[int, int] = (5, 5), robe: tuple[int, int] | None = None, holds: bool = False,
    question: str = "",
) -> dict[str, Any]:  # fmt: skip
    glyphs = np.full((21, 79), ROOM_FLOORS[0], np.int16)
    if robe is not None:
        glyphs[robe] = ROBE
    inventory, letters = np.full(55, NO_GLYPH, np.int16), np.zeros(55, np.uint8)
    if holds:
        inventory[0], letters[0] = ROBE, ord("d")
    blstats = np.zeros(27, np.int64)
    blstats[:2] = hero[1], hero[0]
    message = np.zeros(256, np.uint8)
    message[: len(question)] = list(question.encode())
    internal = np.zeros(9, np.int32)
    internal[1] = bool(question)
    return {
        "glyphs": glyphs, "inv_glyphs": inventory, "inv_letters": letters, "blstats": blstats,
        "message": message, "internal": internal,
    }  # fmt: skip


def action(arrays: dict[str, Any]) -> str:
    return WEAR.task.actions[SkillPlayer(WEAR).act(arrays)]


@pytest.mark.parametrize(
    ("robe", "name"), [((2, 5), "move north"), ((9, 9), "move southeast"), ((5, 5), "pick up")]
)
def test_it_goes_to_the_thing_and_takes_it(robe: tuple[int, int], name: str) -> None:
    assert action(observation(robe=robe)) == name


def test_it_does_the_deed_and_answers_with_the_letter() -> None:
    assert action(observation(holds=True)) == "wear"
    index = SkillPlayer(WEAR).act(
        observation(holds=True, question="What do you want to wear? [d or ?*]")
    )
    keys = [int(a) for a in nethack.USEFUL_ACTIONS if a is not nethack.MiscDirection.UP]
    assert keys[index] == ord("d")
    assert action(observation(holds=True, question="Really step into that trap?")) == "cancel"


def test_its_name_says_how_much_is_left_to_chance() -> None:
    names = [SkillPlayer(WEAR, share).name for share in (0.0, 0.3, 1.0)]
    assert names == ["scripted", "sloppy-scripted", "random"]
