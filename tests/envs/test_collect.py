"""Collected play: every step with its texts, truth, provenance and pictures."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from calm.errors import UsageError
from calm.records import MODES
from envs.collect import play
from envs.seeding import SPLITS, LevelSeeds
from envs.tasks import task


def test_a_step_holds_all() -> None:
    steps = list(play("KeyRoom-S5", ("scripted", "random"), episodes=2, seed=5))
    names = {s.name for s in task("KeyRoom-S5").subgoals}
    seeds = LevelSeeds("data", 5, 0)
    for step in steps:
        t = step.transition
        assert set(t.texts) == set(MODES)
        assert set(step.truth) == names
        assert t.texts["screen"].startswith(f"Action: {t.action}.\n")
        assert t.texts["crop"].startswith(f"Action: {t.action}.\n")
        assert all(re.fullmatch(r"[ -~\n]+", text) for text in t.texts.values())
        for picture in (step.before, step.after):
            for lines in (picture.chars, picture.colours):
                assert [len(line) for line in lines.split("\n")] == [80] * 24
            assert set(picture.colours) <= set("0123456789abcdef\n")
        number = step.provenance["number"]
        assert step.provenance["level_seed"] == seeds.at(int(number))
        assert step.provenance["player"] == ("scripted", "random")[int(number)]
        assert re.fullmatch(r"nle [\d.]+, minihack [\d.]+", str(step.provenance["versions"]))
    firsts = [i for i, s in enumerate(steps) if s.transition.step == 0]
    assert len(firsts) == 2
    assert [s.transition.step for s in steps[: firsts[1]]] == list(range(firsts[1]))
    assert len({s.transition.episode for s in steps}) == 2


def test_a_version_that_there_is_none_of_is_refused_before_anything_is_played() -> None:
    with pytest.raises(UsageError, match="versions 1, 2, 3; got 4"):
        play("KeyRoom-S5", "random", episodes=1, descriptions=4)


def test_the_second_version_of_the_events_text() -> None:
    """Pray asks "Are you sure": the key that answers is named by the first version alone."""
    first, second = (
        list(play("Pray-Distr", "scripted", episodes=1, seed=5, descriptions=version))
        for version in (1, 2)
    )
    assert [r.transition.action for r in first] == [r.transition.action for r in second]
    assert [r.truth for r in first] == [r.truth for r in second]
    events = [[r.transition.texts["events"] for r in rows] for rows in (first, second)]
    heads = {
        (one.split(",")[0], two.split(",")[0])
        for one, two in zip(*events, strict=True)
        if one != two
    }
    assert heads == {("Action: move", "Action: a key")}
    assert "descriptions" not in first[0].provenance
    assert second[0].provenance["descriptions"] == 2


def test_episodes_can_be_passed_over() -> None:
    players = ("random", "scripted")
    steps = list(play("KeyRoom-S5", players, episodes=4, seed=5))
    later = list(play("KeyRoom-S5", players, episodes=2, first=2, seed=5))
    assert later == [step for step in steps if int(step.provenance["number"]) >= 2]


def test_frames_follow_each_other() -> None:
    """What is after one step is before the next, and the end is the end, not the next level."""
    steps = list(play("KeyRoom-S5", "scripted", episodes=1, seed=5))
    for one, next_ in itertools.pairwise(steps):
        assert one.after == next_.before
        assert not one.transition.terminated
    last = steps[-1]
    assert last.transition.terminated
    assert not last.transition.truncated
    assert last.truth["reach the staircase down"]
    assert last.before.chars.count(">") == 1
    assert last.after.chars.count(">") == 0  # the hero stands on it
    for text in last.transition.texts.values():
        assert text.endswith("The episode ended: the hero reached the staircase down, the goal.")


def test_seeds_come_from_the_split() -> None:
    steps = list(play("Room-5x5", "random", episodes=2, split="test", seed=1))
    assert {int(s.provenance["level_seed"]) in SPLITS["test"] for s in steps} == {True}


def test_bad_input() -> None:
    with pytest.raises(UsageError, match="unknown task"):
        play("KeyRum-S5")
    with pytest.raises(UsageError, match="unknown player"):
        play("KeyRoom-S5", "cheater")
    with pytest.raises(UsageError, match="needs episodes"):
        play("KeyRoom-S5", episodes=0)
    with pytest.raises(UsageError, match="unknown split"):
        list(play("KeyRoom-S5", split="trian"))


def test_a_player_of_ones_own() -> None:
    class East:
        name = "east"

        def begin(self, rng: np.random.Generator) -> None: ...

        def act(self, arrays: Mapping[str, np.ndarray]) -> int:
            return 1

    steps = list(play("Room-5x5", (East(), "scripted"), episodes=2))
    assert {s.transition.action for s in steps if s.provenance["player"] == "east"} == {"move east"}
    assert steps[99].transition.truncated
    assert not steps[99].transition.terminated
    assert steps[-1].provenance["player"] == "scripted"


def test_an_own_task_tells_the_landmarks_of_what_it_plays(tmp_path: Path) -> None:
    file = tmp_path / "lava.yaml"
    file.write_text(
        "{id: Lava-v0, goal: Cross., environment: MiniHack-LavaCrossingS9N1-v0, subgoals: ["
        "{name: cross a strip of lava, definition: Past it.}, {name: go on, definition: On.}]}"
    )
    rows = list(play(str(file), "scripted", seed=5))
    assert (
        sum("The hero crossed a strip of lava." in r.transition.texts["events"] for r in rows) == 1
    )
