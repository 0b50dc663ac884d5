"""The skill tasks in words, and the objects that they are about."""

import re

import pytest
from nle import nethack

from envs.game.glyphs import WANDS
from envs.game.minihack_env import make_minihack
from envs.game.rules import read_rules
from envs.subgoals import SUBGOALS
from envs.tasks.registered import registered_ids
from envs.tasks.skills import BY_ID, MAZES, RULES, SKILLS, glyphs_of


def test_every_skill_is_a_thing_and_a_deed_that_rules_know() -> None:
    for skill in BY_ID.values():
        get, deed, *more = skill.task.subgoals
        assert get.name.startswith("pick up" if skill.taken else "step onto")
        assert {get.name, deed.name} <= set(RULES)
        assert {s.name for s in more} <= set(SUBGOALS)
        assert skill.verb in skill.task.actions
        assert len(glyphs_of(skill.thing))


def test_every_registered_skill_is_there_with_the_engines_actions() -> None:
    kinds = "Eat|Wear|Wield|Zap|PutOn|Read|Pray|Sink|Freeze-(?:Wand|Horn|Random)"
    pattern = rf"MiniHack-(?:{kinds})(?:-\w+)?-v0"
    assert {id for id in registered_ids() if re.fullmatch(pattern, id)} == set(SKILLS)
    mazes = {id for id in registered_ids() if "ExploreMaze" in id}
    assert mazes == set(MAZES)
    for id in ("Pray-Distr", "Freeze-Wand-Restricted", "Freeze-Horn-Restricted",
               "Freeze-Random-Restricted", "Freeze-Random-Full", "ExploreMaze-Hard"):  # fmt: skip
        env = make_minihack(f"MiniHack-{id}-v0")
        assert read_rules(env).actions == BY_ID[f"MiniHack-{id}-v0"].task.actions
        env.close()


@pytest.mark.parametrize(
    ("subgoal", "text", "yes"),
    [
        ("pick up the robe", 'Message: "X - a robe."\nA piece of armor entered the inventory.', 1),
        (
            "pick up the robe",
            'Message: "X - a helmet."\nA piece of armor entered the inventory.',
            0,
        ),
        ("pick up the robe", "A piece of armor entered the inventory.", 1),
        ("step onto the apple", 'Message: "You see here an apple."\nThe hero moved.', 1),
        ("step onto the apple", "The hero moved.\nThe hero came onto an object (before: …).", 1),
        (
            "step onto the apple",
            'Message: "You see here a pear."\nThe hero came onto an object (before: …).',
            0,
        ),
        ("wield the dagger", 'Message: "The dagger welds itself to your hand!"', 1),
        ("pray on the altar", 'Action: move, answering "Are you sure you want to pray? [yn]"', 0),
    ],
)
def test_rules_go_by_what_the_message_names(subgoal: str, text: str, yes: int) -> None:
    assert any(re.search(p, text, re.MULTILINE) for p in RULES[subgoal]) == bool(yes)


def test_a_thing_is_one_object_and_a_wand_any_wand() -> None:
    (apple,) = glyphs_of("apple")
    assert nethack.OBJ_NAME(nethack.objclass(nethack.glyph_to_obj(int(apple)))) == "apple"
    assert tuple(glyphs_of("wand")) == WANDS
