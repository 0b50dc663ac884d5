"""The skill tasks in words, and the objects that they are about."""

from nle import nethack

from envs.game.glyphs import WANDS
from envs.tasks.skills import RULES, SKILLS, glyphs_of


def test_every_skill_is_a_thing_and_a_deed_that_rules_know() -> None:
    assert [id.split("-")[1] for id in SKILLS] == ["Eat", "Wear", "Wield", "Zap"]
    for skill in SKILLS.values():
        get, deed = skill.task.subgoals
        assert get.name == f"{'pick up' if skill.taken else 'step onto'} the {skill.thing}"
        assert deed.name == f"{skill.verb} the {skill.thing}"
        assert {get.name, deed.name} <= set(RULES)
        assert skill.verb in skill.task.actions


def test_a_thing_is_one_object_and_a_wand_any_wand() -> None:
    (apple,) = glyphs_of("apple")
    assert nethack.OBJ_NAME(nethack.objclass(nethack.glyph_to_obj(int(apple)))) == "apple"
    assert tuple(glyphs_of("wand")) == WANDS
