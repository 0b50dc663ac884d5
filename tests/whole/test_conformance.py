"""Ours and MiniHack's own environment, stepped side by side: the same levels, the same actions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from minihack.base import MH_DEFAULT_OBS_KEYS
from minihack.reward_manager import LocActionEvent, RewardManager
from nle.env.base import NLE_SPACE_ITEMS
from nle.nethack import Command, CompassDirection

from docs.generate.minihack_table import surveys
from envs.game.engine import ENGINE_KEYS
from envs.game.glyphs import NO_GLYPH
from envs.game.goal import ABORTED, DIED, LOST, WON
from envs.game.levels.boxoban import FOLDER
from envs.game.minihack_env import make_minihack
from envs.players.make import make_player
from envs.stepping.batch import Batch
from envs.tasks import TASKS, OwnTask, task
from tests.support.boxoban import SETS, write_levels

ROOT = Path(__file__).parents[2]
# MiniHack's own, when a menu keeps it from quitting a game; it goes on all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Warning. smooth quitting of game failed")

KEYS = (
    "glyphs", "chars", "colors", "specials", "blstats", "message", "inv_glyphs", "inv_letters",
    "inv_oclasses", "inv_strs", "screen_descriptions", "tty_chars", "tty_colors", "tty_cursor",
    "glyphs_crop", "chars_crop", "colors_crop", "specials_crop",
)  # fmt: skip
TRAINED = ("glyphs", "glyphs_crop", "blstats", "message", "inv_glyphs", "inv_letters")
"""What training and its players read, without descriptions of the screen."""
SHORT = (
    "MiniHack-KeyRoom-S5-v0",
    "MiniHack-Corridor-R2-v0",
    "MiniHack-River-v0",
    "MiniHack-Room-Ultimate-5x5-v0",
)
OTHERS = (  # menus, prompts, reward managers, several levels, a reward of their own
    "MiniHack-WoD-Easy-Full-v0",
    "MiniHack-Levitate-Potion-Full-v0",
    "MiniHack-Freeze-Random-Restricted-v0",
    "MiniHack-LockedDoor-v0",
    "MiniHack-Labyrinth-Small-v0",
    "MiniHack-HideNSeek-v0",
    "MiniHack-CorridorBattle-v0",
    "MiniHack-Memento-F2-v0",
    "MiniHack-ExploreMaze-Easy-v0",
    "MiniHack-Pray-v0",
    "MiniHack-Sokoban2a-v1",
)
GRIDS = (  # a level of its own for every seed
    "MiniHack-MultiRoom-N2-Monster-v0",
    "MiniHack-MultiRoom-N6-Extreme-v0",
    "MiniHack-LavaCrossingS9N2-v0",
    "MiniHack-SimpleCrossingS9N1-v0",
)
NATIVE = [s.task for s in surveys() if s.path == "native" and s.task not in TASKS]
"""Every id that our C steps, but for those of `TASKS`, which are compared for longer."""
NATIVE_SHORT = (
    "CorridorBattle-v0", "HideNSeek-Lava-v0", "Labyrinth-Small-v0", "ClosedDoor-v0",
    "LockedDoor-v0", "WoD-Medium-Restricted-v0", "Freeze-Lava-Restricted-v0", "LavaCross-Full-v0",
    "Sokoban3b-v1",
)  # fmt: skip
"""One of each family of them, but for those whose deed is played below."""
DEEDS = ("Eat", "Wear", "Wield", "PutOn", "Zap", "Read", "Pray", "Sink", "Freeze-Wand-Restricted",
         "Memento-Short-F2", "ExploreMaze-Easy")  # fmt: skip
"""One of each family with a reward manager for which there is a scripted player."""


class Theirs:
    """MiniHack's environment, which also keeps what the screen showed before it quits a game."""

    def __init__(self, task: str, options: Mapping[str, Any] | None = None) -> None:
        self.env = make_minihack(task, {"observation_keys": list(KEYS), **(options or {})})
        self.last: dict[str, Any] | None = None
        quit_game = self.env._quit_game

        def keep(observation: Any, done: bool) -> None:
            observed_row = self.env._get_observation(observation)
            self.last = {key: value.copy() for key, value in observed_row.items()}
            quit_game(observation, done)

        self.env._quit_game = keep

    def reset(self, seed: int) -> dict[str, Any]:
        self.env.seed(seed, seed, False)
        return self.env.reset()[0]

    def step(self, action: int) -> tuple[dict[str, Any], float, bool, bool]:
        self.last = None
        observation, reward, done, _, info = self.env.step(action)
        truncated = done and info["end_status"].name == "ABORTED"
        return self.last or observation, reward, done and not truncated, truncated


def same(
    ours: Mapping[str, Any], i: int, theirs: dict[str, Any], where: str, keys: Sequence[str]
) -> None:
    for key in keys:
        row, expected = ours[key][i], theirs[key]
        if key == "glyphs_crop":
            row, expected = np.where(row == NO_GLYPH, 0, row), expected
        assert np.array_equal(row, expected), f"{key} differs {where}"


def side_by_side(
    task: str, steps: int, players: tuple[str, str], compared: Sequence[str] = KEYS, **batch: Any
) -> dict[int, int]:
    """Steps both, one environment for each player; how many episodes ended how.

    MiniHack's observes all keys, ours those that are compared.
    """
    n = len(players)
    seeds: list[Iterator[int]] = [count(100_000 * i) for i in range(n)]
    theirs = [Theirs(task, batch.get("options")) for _ in range(n)]
    lengths = [0] * n
    ends = {WON: 0, LOST: 0, DIED: 0, ABORTED: 0}
    rng = np.random.default_rng(5)
    with Batch(task, n, (*compared, "internal"), level_seeds=seeds, **batch) as ours:
        acting = [make_player(name, task) if name == "scripted" else None for name in players]

        def act(i: int) -> int:
            player = acting[i]
            if player is None:
                return int(rng.integers(ours.n_actions))
            return player.act({key: rows[i] for key, rows in ours.arrays.items()})

        ours.reset()
        for i, env in enumerate(theirs):
            same(ours.arrays, i, env.reset(100_000 * i), f"after the first reset of {i}", compared)
            if player := acting[i]:
                player.begin(np.random.default_rng(0))
        for step in range(steps // n):
            actions = [act(i) for i in range(n)]
            rewards, terminated, truncated = ours.step(actions)
            for i, env in enumerate(theirs):
                where = f"in step {step} of {i}, level seed {ours.level_seeds[i]}"
                observation, reward, term, trunc = env.step(actions[i])
                lengths[i] += 1
                assert rewards[i] == np.float32(reward), where
                assert (terminated[i], truncated[i]) == (term, trunc), where
                if not (term or trunc):
                    same(ours.arrays, i, observation, where, compared)
                    assert ours.steps[i] == lengths[i]
                    continue
                # After a death the terminal shows the high scores, among them, in MiniHack, those
                # of the games that it has quit.
                died = ours.status[i] == DIED
                keys = [k for k in compared if not (k.startswith("tty_") and died)]
                same(ours.final, i, observation, f"at the end, {where}", keys)
                assert ours.final_steps[i] == lengths[i]
                lengths[i] = 0
                ends[int(ours.status[i])] += 1
                first = env.reset(int(ours.level_seeds[i]))
                same(ours.arrays, i, first, f"after reset, {where}", compared)
                if player := acting[i]:
                    player.begin(np.random.default_rng(step))
    for env in theirs:
        env.env.close()
    return ends


@pytest.mark.parametrize("task", SHORT)
@pytest.mark.parametrize(
    ("keys", "native"),
    [
        pytest.param(KEYS, False, id="all-keys-plain"),
        pytest.param(TRAINED, True, id="trained-keys-native"),
        pytest.param(KEYS, True, id="all-keys-native", marks=[pytest.mark.slow]),
        pytest.param(TRAINED, False, id="trained-keys-plain", marks=[pytest.mark.slow]),
    ],
)
def test_equals_minihack(task: str, native: bool, keys: tuple[str, ...]) -> None:
    ends = side_by_side(task, 1200, ("random", "scripted"), keys, native=native)
    assert ends[WON] >= 1
    assert sum(ends.values()) >= 2


@pytest.mark.parametrize("native", [False, True])
def test_a_keyroom_with_a_level_of_its_own_equals_minihack(native: bool) -> None:
    junk = task(str(ROOT / "agents/study/levels/keyroom-s15-junk.yaml"))
    assert isinstance(junk, OwnTask)
    side_by_side(
        junk.environment,
        800,
        ("random", "scripted"),
        TRAINED,
        native=native,
        options=junk.options,
    )


@pytest.mark.parametrize(
    "name", [*NATIVE_SHORT, "Levitate-Boots-Full-v0", "MazeWalk-9x9-v0", "Quest-Easy-v0"]
)
def test_each_native_family_equals_minihack(name: str) -> None:
    side_by_side(f"MiniHack-{name}", 300, ("random", "random"), TRAINED, native=True)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", DEEDS)
def test_deeds_are_paid_as_minihack_pays_them(name: str, native: bool) -> None:
    """Of two environments, so that one's state is not the other's."""
    id = f"MiniHack-{name}-v0"
    steps = 300 if name.startswith("ExploreMaze") else 120  # it eats all apples first
    ends = side_by_side(id, steps, ("scripted", "scripted"), TRAINED, native=native)
    assert ends[WON] >= 1
    assert (ends[LOST] >= 1) == name.startswith("Memento")


@pytest.mark.parametrize("native", [False, True])
def test_a_reward_manager_of_ones_own_pays_as_minihack_pays(native: bool) -> None:
    manager = RewardManager()
    manager.add_event(LocActionEvent(2, True, True, False, loc="altar", action=Command.SEARCH))
    manager.add_message_event(["It's a wall.", "solid stone"], 0.25, True, False)
    actions = (Command.SEARCH, CompassDirection.NW)
    options = {"reward_manager": manager, "actions": actions, "max_episode_steps": 1000}
    side_by_side("MiniHack-Room-5x5-v0", 80, ("random",) * 2, native=native, options=options)


@pytest.mark.parametrize("task", GRIDS)
def test_native_levels_of_minigrid_equal_minihack(task: str) -> None:
    side_by_side(task, 200, ("random", "random"), TRAINED, native=True)


@pytest.mark.slow
@pytest.mark.parametrize("task", NATIVE)
def test_every_native_id_equals_minihack(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for which in SETS:
        write_levels(tmp_path, which)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    side_by_side(task, 2000, ("random", "random"), TRAINED, native=True)


@pytest.mark.parametrize("native", [False, True])
def test_boxoban_equals_minihack(
    native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(write_levels(tmp_path)))
    id = "MiniHack-Boxoban-Hard-v0"
    ends = side_by_side(id, 400, ("random", "random"), TRAINED, native=native)
    assert ends[WON] >= 1


def test_every_native_family_has_one_in_the_fast_suite() -> None:
    def family(id: str) -> str:
        return re.sub(r"S\d+N\d+|\d[ab]", "", id.removeprefix("MiniHack-")).split("-")[0]

    names = (*NATIVE_SHORT, *GRIDS, *DEEDS, "Levitate", "Boxoban")
    assert {family(id) for id in NATIVE} == {family(name) for name in names}


@pytest.mark.parametrize("native", [False, True])
def test_monsters_and_what_they_leave_equal_minihack(native: bool) -> None:
    side_by_side("MiniHack-River-Monster-v0", 600, ("random", "random"), TRAINED, native=native)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("keys", [("blstats",), ("blstats", "screen_descriptions")], ids=len)
def test_a_level_seed_fixes_the_episode_whatever_is_observed(
    native: bool, keys: tuple[str, ...]
) -> None:
    """MiniHack's hit points on a level where describing what is remembered draws random numbers."""
    seed = 2000053
    actions = [int(np.random.default_rng(seed * 1000 + t).integers(8)) for t in range(12)]
    with Batch("MiniHack-River-Monster-v0", 1, keys, native=native, workers=0) as batch:
        batch.reset([seed])
        hit_points = []
        for action in actions:
            batch.step([action])
            hit_points.append(int(batch.arrays["blstats"][0, 10]))
    assert hit_points == [12, 12, 12, 11, 11, 11, 11, 11, 11, 8, 8, 6]


def test_sokoban_without_our_c_equals_minihack() -> None:
    side_by_side("MiniHack-Sokoban1a-v1", 300, ("random", "random"), native=False)


@pytest.mark.parametrize("task", GRIDS[1:3])
def test_tasks_with_levels_of_minigrid_equal_minihack_by_python(task: str) -> None:
    side_by_side(task, 200, ("random", "random"), native=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("keys", [KEYS, TRAINED], ids=["all-keys", "trained-keys"])
def test_every_task_equals_minihack_for_long(task: str, keys: tuple[str, ...]) -> None:
    ends = side_by_side(task, 20_000, ("random", "scripted"), keys)
    assert sum(ends.values()) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("task", OTHERS)
def test_other_tasks_equal_minihack_for_long(task: str) -> None:
    side_by_side(task, 4_000, ("random", "random"))


def test_offers_every_key_of_minihack() -> None:
    assert {*MH_DEFAULT_OBS_KEYS, *dict(NLE_SPACE_ITEMS)} <= {*KEYS, *ENGINE_KEYS}
