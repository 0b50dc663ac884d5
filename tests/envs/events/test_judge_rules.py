"""The rules read only words: how often they agree with the engine's truth on mixed play."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from calm.judges import make_judge
from calm.records import MODES, LabelledTransition
from envs.collect import play
from envs.events.judge_rules import RULES
from envs.events.words import VERSIONS, words
from envs.subgoals import SUBGOALS
from envs.tasks import skills, task
from tests.envs.events.steps import achieved, says

PLAYERS = ("scripted", "sloppy", "random")


@cache
def played(task_id: str, episodes: int) -> list[LabelledTransition]:
    return list(play(task_id, PLAYERS, episodes=episodes, seed=3))


def counts(task_id: str, mode: str, episodes: int) -> Counter[tuple[str, bool, bool]]:
    """How often (subgoal, rule says yes, truth is yes)."""
    steps: Counter[tuple[str, bool, bool]] = Counter()
    for step in played(task_id, episodes):
        for name, truth in step.truth.items():
            steps[name, says(name, step.transition.texts[mode]), truth] += 1
    return steps


def test_every_given_subgoal_has_a_rule() -> None:
    assert set(RULES) == set(SUBGOALS)
    for rules in RULES.values():
        for rule in rules:
            re.compile(rule, re.MULTILINE)


@pytest.mark.parametrize(
    ("task_id", "episodes"),
    [("KeyRoom-S5", 12), ("KeyRoom-Dark-S5", 6), ("Room-Ultimate-5x5", 9), ("River-Narrow", 2),
     ("MazeWalk-9x9", 6), pytest.param("KeyRoom-S15", 9, marks=[pytest.mark.slow]),
     pytest.param("Corridor-R2", 3, marks=[pytest.mark.slow])],
)  # fmt: skip
def test_events_say_what_is_true(task_id: str, episodes: int) -> None:
    """Precision and recall of at least 0.99 on all subgoals together, and all of them happen."""
    steps = counts(task_id, "events", episodes)
    right = sum(n for (_, yes, true), n in steps.items() if yes and true)
    yes = sum(n for (_, yes, _), n in steps.items() if yes)
    true = sum(n for (_, _, true), n in steps.items() if true)
    assert true > 20
    assert right >= 0.99 * yes
    assert right >= 0.99 * true
    for subgoal in task(task_id).subgoals:
        assert steps[subgoal.name, True, True] or "8 steps" in subgoal.name, subgoal.name


@pytest.mark.parametrize("name", [*RULES, *skills.RULES])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_step_that_achieves_a_subgoal_is_heard_in_every_version(name: str, version: int) -> None:
    """Whatever else the game says, and that nothing of it was done is heard as well."""
    row, message, question = achieved(name)
    for before in ("", "The newt bites! ", "You hear a door open. "):
        assert says(name, words(row, "move", before + message, question, version))
    assert not says(name, words(np.zeros_like(row), "move", "The newt bites!", "", version))


@pytest.mark.parametrize(
    "task_id",
    ["KeyRoom-S5", "Wield", "Pray-Distr", "LavaCross-Restricted", "MultiRoom-N2-Monster",
     "Memento-Short-F2",
     *(pytest.param(id, marks=pytest.mark.slow) for id in (
         "Eat", "Wear", "PutOn", "Read", "Zap", "Sink-Distr", "Freeze-Wand-Full", "Quest-Easy",
         "ExploreMaze-Easy", "River-MonsterLava", "CorridorBattle", "MultiRoom-N6-LavaMonsters"))],
)  # fmt: skip
def test_the_third_version_loses_nothing_that_a_given_subgoal_needs(task_id: str) -> None:
    """The judge hears in its texts all that it hears in the first version's; and more, where more
    was said in a step than the last message tells, of which none is wrong."""
    rows = [
        list(play(task_id, PLAYERS, episodes=3, seed=5, descriptions=version)) for version in (1, 3)
    ]
    judge, given = make_judge("rules"), task(task_id).subgoals
    verdicts = [
        [
            one.row(given)
            for one in judge.judge(task(task_id), given, [r.transition for r in played])
        ]
        for played in rows
    ]
    assert any(1 in row for row in verdicts[0])
    for row, one, other in zip(rows[1], *verdicts, strict=True):
        for subgoal, before, now in zip(given, one, other, strict=True):
            assert now == before or (now == 1 and row.truth[subgoal.name]), row
    texts = [{r.transition.texts["events"] for r in played} for played in rows]
    assert len(texts[1]) < len(texts[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "task_id",
    ["Labyrinth-Small", "HideNSeek-Mapped", "CorridorBattle", "MultiRoom-N4-Locked",
     "MultiRoom-N6-LavaMonsters", "LavaCrossingS9N1", "SimpleCrossingS9N1", "ClosedDoor",
     "LockedDoor", "WoD-Hard-Restricted", "Levitate-Potion-Restricted", "Freeze-Lava-Restricted",
     "LavaCross-Levitate-Restricted"],
)  # fmt: skip
def test_events_say_what_is_true_of_other_families(task_id: str) -> None:
    """Not once do rules and truth differ."""
    steps = counts(task_id, "events", 6)
    assert not any(n for (_, yes, true), n in steps.items() if yes != true)
    assert any(n for (_, yes, true), n in steps.items() if yes and true)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_told_in_words_is_read_in_every_description(mode: str) -> None:
    steps = counts("KeyRoom-S5", mode, 12)
    for name in ("pick up the key", "reach the staircase down"):
        assert steps[name, True, True] > 0
        assert steps[name, True, False] == steps[name, False, True] == 0


@pytest.mark.parametrize("mode", ["screen", "crop"])
def test_what_only_the_maps_show_is_missed_and_never_guessed(mode: str) -> None:
    steps = counts("KeyRoom-S5", mode, 12)
    assert steps["open the locked door", False, True] > 0
    assert steps["open the locked door", True, False] == 0


def test_a_message_is_no_event() -> None:
    """Words inside the game's message don't count as sentences of ours."""
    text = 'Action: move.\nMessage: "The key entered the inventory."\nThe hero moved.'
    assert not any(says(name, text) for name in RULES)


def test_a_named_kill_is_told_by_its_name_or_by_experience_that_no_other_kill_explains() -> None:
    kill, rose = "kill a giant rat", "Experience points rose."
    assert says(kill, f'Action: move.\nMessage: "You kill the giant rat! It bites!"\n{rose}')
    assert says(kill, f'Action: move.\nMessage: "The giant rat bites!"\n{rose}')
    assert says(kill, f"Action: move.\n{rose}")
    assert not says(kill, f'Action: move.\nMessage: "You kill the newt!"\n{rose}')
    assert not says(kill, f'Action: move.\nMessage: "You destroy the kobold zombie!"\n{rose}')
    assert not says(kill, 'Action: move.\nMessage: "The giant rat bites!"\nHit points fell.')
