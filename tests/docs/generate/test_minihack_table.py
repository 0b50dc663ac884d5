"""The table of every id of MiniHack is complete, and says what code and engine say."""

import pytest

from docs.generate.minihack_table import minihack_table, speeds, surveys
from envs.game.minihack_env import make_minihack
from envs.game.rules import read_rules
from envs.subgoals import SUBGOALS
from envs.survey import Survey
from envs.tasks import words_of
from envs.tasks.registered import registered_ids
from envs.tasks.skills import BY_ID
from tests.support.boxoban import SETS, write_levels

PLAYED = [one for one in surveys() if not one.error]


def test_it_holds_every_registered_id_with_words_or_the_reason() -> None:
    assert {one.task for one in surveys()} == set(registered_ids())
    assert {one.task for one in surveys() if one.error} == {
        "MiniHack-Navigation-Custom-v0",
        "MiniHack-Skill-Custom-v0",
    }
    assert len(PLAYED) == 159
    assert set(speeds()) == {one.task for one in PLAYED}
    assert min(speeds().values()) > 0


@pytest.mark.parametrize("one", PLAYED, ids=lambda one: one.task)
def test_each_id_has_path_goal_and_subgoals_with_truth(one: Survey) -> None:
    assert one.path in ("native", "MiniHack")
    assert min(one.actions, one.limit, one.events) >= 1
    words = words_of(one.task)
    assert words is not None
    goal, subgoals = words
    assert goal.endswith(".")
    assert len(subgoals) == one.subgoals == one.with_truth >= 1
    assert one.task in BY_ID or all(SUBGOALS[s.name] == s for s in subgoals)


def test_a_row_says_what_was_counted() -> None:
    rows = [line for line in minihack_table().splitlines() if line.startswith("| `")]
    assert len(rows) == len(PLAYED)
    (row,) = (line for line in rows if "`Eat-v0`" in line)
    one = next(one for one in PLAYED if one.task == "MiniHack-Eat-v0")
    assert row == (
        "| `Eat-v0` | native | 85 | 250 | Eat the apple that lies in the room. | 2"
        f" | {one.steps:,} | {one.events:,} | {one.steps_rewarded:,}"
        f" | {speeds()[one.task]:,.0f} |"
    )


@pytest.mark.slow
@pytest.mark.parametrize("one", PLAYED, ids=lambda one: one.task)
def test_the_engine_says_the_same(
    one: Survey, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "Boxoban" in one.task:
        folder = tmp_path_factory.mktemp("boxoban")
        for which in SETS:
            write_levels(folder, which)
        monkeypatch.setenv("CALM_BOXOBAN", str(folder))
    env = make_minihack(one.task)
    rules = read_rules(env)
    env.close()
    path = "MiniHack" if rules.path == "minihack" else "native"
    assert (path, len(rules.actions), rules.max_steps) == (one.path, one.actions, one.limit)
