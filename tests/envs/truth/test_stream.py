"""Truth of the given subgoals, in situations played out on real MiniHack."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from nle import nethack

from calm.errors import UsageError
from calm.records import Subgoal
from envs.events.judge_rules import RULES
from envs.events.stream import EventStream
from envs.game import actions
from envs.players.player import KEYS
from envs.players.scripted import Scripted
from envs.stepping.batch import Batch
from envs.subgoals import SUBGOALS
from envs.tasks import TASKS, task
from envs.truth.stream import TruthStream
from tests.support import pushing

KEY = nethack.GLYPH_OBJ_OFF + 196
BOULDER = nethack.GLYPH_OBJ_OFF + 447
OPEN, CLOSED = {2372, 2373}, {2374, 2375}

WIDER = (
    *actions.KEYROOM,
    nethack.Command.DROP,
    nethack.Command.RUSH,  # the key "g"
    nethack.Command.CLOSE,
    nethack.Command.ESC,
)
"""KeyRoom's actions and what it takes to drop the key and to close the door."""


class Game:
    """One environment, its truth and its events."""

    def __init__(self, batch: Batch, names: tuple[str, ...]) -> None:
        self.batch = batch
        self.names = names
        self.truth = TruthStream(batch.task, None, batch, names)
        self.events = EventStream(batch.task, batch, names)
        batch.observers += [self.truth, self.events]
        self.ended = False

    def start(self, level_seed: int) -> "Game":
        self.batch.reset([level_seed])
        self.player = Scripted(self.batch.rules.actions)
        self.ended = False
        return self

    @property
    def observation(self) -> dict[str, np.ndarray]:
        return {key: self.batch.arrays[key][0] for key in KEYS}

    @property
    def text(self) -> str:
        return self.events.texts[self.events.ids[0]]

    def do(self, action: str | int) -> set[str]:
        """One step; the subgoals it achieved."""
        index = self.names.index(action) if isinstance(action, str) else action
        _, terminated, truncated = self.batch.step(np.array([index]))
        self.ended = bool(terminated[0] or truncated[0])
        assert set(np.unique(self.truth.achieved)) <= {0, 1}
        goals = self.truth.subgoals
        return {s.name for s, yes in zip(goals, self.truth.achieved[0], strict=True) if yes}

    def play_until(self, goal: str | Callable[[set[str]], bool]) -> set[str]:
        """Lets the scripted player play up to the step that achieves `wanted`."""
        for _ in range(300):
            achieved = self.do(self.player.act(self.observation))
            if goal in achieved if isinstance(goal, str) else goal(achieved):
                return achieved
            assert not self.ended
        raise AssertionError(f"never saw {goal}")

    def press(self, letter: str) -> set[str]:
        """The action whose key is this letter."""
        return self.do(self.batch.rules.presses.index(ord(letter)))


@contextmanager
def game(name: str, wider: bool = False) -> Iterator[Game]:
    options = {"actions": WIDER, "allow_all_yn_questions": True} if wider else None
    names = tuple(actions.english(a) for a in WIDER) if wider else task(name).actions
    keys = dict.fromkeys((*KEYS, *EventStream.keys, *TruthStream.keys, "inv_letters"))
    with Batch(task(name).id, 1, tuple(keys), options=options, native=False) as batch:
        yield Game(batch, names)


def key_letter(g: Game) -> str:
    held = np.flatnonzero(g.batch.arrays["inv_glyphs"][0] == KEY)
    return chr(g.batch.arrays["inv_letters"][0][held[0]])


def test_key_is_picked_up() -> None:
    with game("KeyRoom-S5") as g:
        for level_seed in range(5):
            g.start(level_seed)
            achieved = g.play_until("pick up the key")
            assert KEY in g.observation["inv_glyphs"]
            assert "The key entered the inventory." in g.text
            assert not achieved & {"open the locked door", "reach the staircase down"}
            assert g.do("pick up") == set()  # there is no second one


def test_key_is_dropped_and_picked_up_again() -> None:
    with game("KeyRoom-S5", wider=True) as g:
        g.start(0).play_until("pick up the key")
        letter = key_letter(g)
        assert g.do("drop") == set()
        assert g.press(letter) == set()
        assert KEY not in g.observation["inv_glyphs"]
        assert "The key left the inventory." in g.text
        assert "pick up the key" in g.do("pick up")
        assert KEY in g.observation["inv_glyphs"]


def test_stepping_off_a_dropped_key_is_no_approach() -> None:
    with game("KeyRoom-S5", wider=True) as g:
        g.start(0).play_until("pick up the key")
        letter = key_letter(g)
        g.do("drop")
        g.press(letter)
        y, x = int(g.observation["blstats"][1]), int(g.observation["blstats"][0])
        for name in g.names[:8]:
            assert g.do(name) == set()
            if (int(g.observation["blstats"][1]), int(g.observation["blstats"][0])) != (y, x):
                break
        assert "The hero went away from the key." in g.text


def at_the_door_without_the_key(g: Game) -> None:
    """Stands the hero next to the closed door, in line with it, the key still on the floor."""
    for level_seed in range(200):
        g.start(level_seed)
        player = Scripted(g.batch.rules.actions)
        for _ in range(25):
            player._map.look(g.observation["glyphs"], g.observation["blstats"])
            if player._doors_beside():
                return
            doors = player._map.find("closed door")
            way = player._map.path(
                lambda c, doors=doors: any(abs(c[0] - y) + abs(c[1] - x) == 1 for y, x in doors)
            )
            if not way:
                break
            g.do(way[0][0])
    raise AssertionError("no level lets the hero walk to the door")


def test_apply_beside_a_door_without_the_key() -> None:
    with game("KeyRoom-S5") as g:
        at_the_door_without_the_key(g)
        for _ in range(3):
            assert g.do("apply") == set()
        assert "open now" not in g.text
        assert CLOSED & set(g.observation["glyphs"].ravel().tolist())


def test_apply_with_the_key_opens_the_door() -> None:
    with game("KeyRoom-S5") as g:
        for level_seed in range(5):
            g.start(level_seed).play_until(
                lambda a: "stand next to the locked door with the key" in a
            )
            before = g.observation["glyphs"].copy()
            achieved = g.play_until("open the locked door")
            now = g.observation["glyphs"]
            differs = before != now
            changed = set(zip(before[differs].tolist(), now[differs].tolist(), strict=True))
            assert changed & {(2374, 2372), (2375, 2373)}
            assert "open the locked door" in achieved
            assert bytes(g.observation["message"]).startswith(b"Never mind.")
            assert "A closed door is open now." in g.text


def test_door_already_open() -> None:
    with game("KeyRoom-S5") as g:
        g.start(0).play_until("open the locked door")
        assert OPEN & set(g.observation["glyphs"].ravel().tolist())
        for _ in range(3):
            assert g.do("apply") == set()


def test_door_closed_and_opened_again() -> None:
    with game("KeyRoom-S5", wider=True) as g:
        g.start(0).play_until("open the locked door")
        g.do("cancel")  # what APPLY asks after the macro
        y, x = int(g.observation["blstats"][1]), int(g.observation["blstats"][0])
        door = np.argwhere(np.isin(g.observation["glyphs"], list(OPEN)))[0]
        way = {(-1, 0): "north", (1, 0): "south", (0, 1): "east", (0, -1): "west"}[
            (int(door[0]) - y, int(door[1]) - x)
        ]
        for _ in range(50):  # a door may stick
            assert g.do("close") == set()
            g.do(f"move {way}")
            if CLOSED & set(g.observation["glyphs"].ravel().tolist()):
                break
        achieved: set[str] = set()
        for _ in range(50):
            achieved = g.do(f"move {way}")
            if achieved:
                break
        assert achieved == {"open the locked door"}


def test_stairs_are_reached() -> None:
    with game("KeyRoom-S5") as g:
        for level_seed in range(5):
            g.start(level_seed)
            achieved = g.play_until("reach the staircase down")
            assert achieved == {"reach the staircase down"}
            assert g.ended
            assert g.batch.status[0] == 2


def test_death_achieves_nothing() -> None:
    with game("River-Lava") as g:
        g.start(3)
        for _ in range(21):
            achieved = g.do("move east")
        assert g.ended
        assert g.batch.status[0] == 1
        assert achieved == set()


def test_time_limit_achieves_nothing() -> None:
    with game("Room-5x5") as g:
        g.start(0)
        for _ in range(100):
            assert not g.ended
            achieved = g.do("move north")
        assert g.ended
        assert g.batch.status[0] == -1
        assert achieved == set()


def test_nothing_is_carried_over_into_the_next_episode() -> None:
    with game("Room-5x5") as g:
        g.start(0)
        for _ in range(2):
            first = [g.do("move southeast") for _ in range(4)]
            assert first == [
                set(),
                {"come within 2 steps of the staircase down"},
                {"stand next to the staircase down"},
                {"reach the staircase down"},
            ]
            assert g.ended


def test_coming_near_goes_by_the_diagonal_distance() -> None:
    """Room-5x5: hero at (0, 0), stairs at (4, 4); away and back counts again."""
    with game("Room-5x5") as g:
        g.start(0)
        assert g.do("move east") == set()
        assert g.do("move east") == set()  # (0, 2): 4 rows away
        assert g.do("move south") == set()
        assert g.do("move south") == {"come within 2 steps of the staircase down"}
        assert g.do("move north") == set()
        assert g.do("move southeast") == {"come within 2 steps of the staircase down"}
        assert g.do("move south") == {"stand next to the staircase down"}


def test_boulders() -> None:
    with game("River") as g:
        g.start(22545)
        g.play_until("stand next to a boulder")
        g.play_until("push a boulder")
        y, x = int(g.observation["blstats"][1]), int(g.observation["blstats"][0])
        assert BOULDER in g.observation["glyphs"][y - 1 : y + 2, x - 1 : x + 2]
        for _ in range(2):
            achieved = g.play_until("fill water or lava with a boulder")
            assert "push a boulder" in achieved
            assert b"Now you can cross it" in bytes(g.observation["message"])
            assert "Water turned into solid ground." in g.text
        east = int(g.observation["blstats"][0])
        assert g.play_until("cross the water or lava") == {"cross the water or lava"}
        assert int(g.observation["blstats"][0]) > east + 1
        assert "The hero came to the other side of the water or lava." in g.text
        g.play_until("reach the staircase down")


def test_water_is_crossed_each_time_anew() -> None:
    """East bank to west bank is a crossing too; stepping onto the fill and back is none."""
    with game("River-Narrow") as g:
        g.start(22545)
        g.play_until("cross the water or lava")
        assert "cross the water or lava" not in g.do("move west")
        assert "cross the water or lava" not in g.do("move east")
        assert "cross the water or lava" not in g.do("move west")
        assert "cross the water or lava" not in g.do("move west")
        assert "cross the water or lava" in g.do("move west")
        assert "The hero came to the other side of the water or lava." in g.text


def test_pits_fountains_and_monsters() -> None:
    """East past all of it: what steps achieve by the engine, and by the rules over their texts."""
    names = ("push a boulder", "fill a pit with a boulder", "push a boulder onto a fountain",
             "stand next to a monster", "kill a monster")  # fmt: skip
    push, fill, place, beside, _ = names
    goals = [SUBGOALS[name] for name in names]
    done, by_rules = [], []
    options = {"des_file": pushing.LEVEL}
    with Batch(pushing.TASK, 1, EventStream.keys, options=options, native=False) as batch:
        events, truth = EventStream(batch.task, batch), TruthStream(batch.task, goals, batch)
        batch.observers += [events, truth]
        batch.reset([3])
        for _ in range(9):
            batch.step([pushing.EAST])
            text = events.texts[events.ids[0]]
            done.append({n for n, yes in zip(names, truth.achieved[0], strict=True) if yes})
            by_rules.append({n for n in names if any(re.search(p, text, re.M) for p in RULES[n])})
    assert done[:7] == [{push, fill}, set(), set(), {push, place}, {push}, {push}, {push, beside}]
    assert done == by_rules


def test_ground_of_corridors() -> None:
    with game("Corridor-R3") as g:
        g.start(7).play_until("step into a doorway")
        g.play_until("step into a corridor")
        assert "The hero stepped into a corridor." in g.text


def test_a_subgoal_of_ones_own_has_no_truth() -> None:
    with (
        Batch("MiniHack-Room-5x5-v0", 1, TruthStream.keys, native=False) as batch,
        pytest.raises(UsageError, match="find the staircase down"),
    ):
        TruthStream(batch.task, [Subgoal("find the stairs", "It is seen.")], batch)


def test_every_given_subgoal_has_a_truth() -> None:
    with Batch("MiniHack-Room-5x5-v0", 2, TruthStream.keys, native=False) as batch:
        stream = TruthStream(batch.task, tuple(SUBGOALS.values()), batch)
        batch.observers.append(stream)
        batch.reset()
        batch.step(np.array([1, 2]))
        assert stream.achieved.shape == (2, len(SUBGOALS))
        assert {s.name for t in TASKS.values() for s in t.subgoals} <= set(SUBGOALS)
