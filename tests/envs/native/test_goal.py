"""C and Python agree on goals and rewards, on screens and rules that no task combines."""

from __future__ import annotations

import ctypes
import random
from dataclasses import replace

import numpy as np
import pytest

from envs.game.conditions import Condition
from envs.game.engine import ROW_KEYS
from envs.game.goal import ABORTED, DIED, RUNNING, WON, Goal
from envs.game.minihack_env import make_minihack
from envs.game.rules import Rules, read_rules
from envs.native.backend import write_rules
from envs.native.build import built
from envs.native.layout import KEY_ORDER, Header

KEYS = (ord("y"), ord("k"), 240)
PLACES = (3, 5)
SPACE_OF_PROGRESS = 4096
"""Bytes, more than `calm_progress` of calm.h has."""


def some_condition(rng: random.Random) -> Condition:
    texts = [rng.choice([b"a", b"ab", b"c x", b"x" * 60, b"\xff"]) for _ in range(rng.randrange(4))]
    return Condition(
        rng.choice(["message", "deed", "stairs"]),
        rng.choice([-1.0, 0.1, 2.0]),
        tuple(texts),
        rng.choice(PLACES),
        rng.choice(KEYS),
        repeatable=rng.random() < 0.4,
        required=rng.random() < 0.6,
        sufficient=rng.random() < 0.2,
    )


def some_rules(rng: random.Random, rules: Rules) -> Rules:
    conditions = tuple(some_condition(rng) for _ in range(rng.randrange(5)))
    to_be_gone = "" if conditions else rng.choice(["", "^", "{"])
    return replace(
        rules,
        conditions=conditions,
        to_be_gone=to_be_gone,
        covered_by="`" if to_be_gone == "{" else "",
        reward_step=-0.001,
        reward_gone=0.1,
    )


def test_c_and_python_agree_on_every_step() -> None:
    stepper = built()
    if stepper is None:
        pytest.skip("there is no compiler here")
    c = ctypes.CDLL(str(stepper.library))
    c.calm_reached.restype, c.calm_reward.restype = ctypes.c_bool, ctypes.c_double
    env = make_minihack("MiniHack-Room-5x5-v0")
    room = read_rules(env)
    env.close()
    rows = {key: np.zeros(*ROW_KEYS[key]) for key in KEY_ORDER}
    keys = (ctypes.c_void_p * len(KEY_ORDER))(*(row.ctypes.data for row in rows.values()))
    rng = random.Random(5)

    def show() -> None:
        rows["internal"][4] = rng.random() < 0.1
        rows["message"][:] = rng.choices(b"abc x\0", k=256) if rng.random() < 0.8 else ord("x")
        rows["glyphs"][:] = 0
        rows["glyphs"][rng.randrange(21), rng.randrange(79)] = rng.choice((0, *PLACES))
        rows["chars"][:2, :3] = np.reshape(rng.choices(b"^{`.", k=6), (2, 3))

    for _ in range(200):
        rules = some_rules(rng, room)
        header, progress = Header(), ctypes.create_string_buffer(SPACE_OF_PROGRESS)
        write_rules(header, rules)
        goal, of_c = Goal(rules, rows), (ctypes.byref(header), progress)
        for step in range(40):
            show()
            if step % 20 == 0:
                goal.begin()
                c.calm_begin_goal(*of_c, keys)
                continue
            key, late = rng.choice(KEYS), rng.random() < 0.05
            reached = not late and goal.reached(key)
            assert reached == (not late and c.calm_reached(*of_c, keys, key)), rules
            status = ABORTED if late else WON if reached else rng.choice([RUNNING, RUNNING, DIED])
            assert goal.reward(status) == pytest.approx(c.calm_reward(*of_c, status)), rules
