"""Whole episodes as arrays; what is no whole episode is refused."""

from dataclasses import replace

import numpy as np
import pytest

from agents.inspection.recording import Recording, Step
from agents.sharing.episodes import episodes_of_recording, episodes_of_rows
from calm.errors import UsageError
from calm.records import LabelledTransition, Screen, Subgoal, Task, Transition

TASK = Task("T-v0", "Go.", (Subgoal("go", "It goes."),), ("north", "look"))


def screen(letter: str, colour: str = "7") -> Screen:
    return Screen("\n".join([letter * 80] * 24), "\n".join([colour * 80] * 24))


def rows(episode: str, steps: int, *, truncated: bool = False) -> list[LabelledTransition]:
    """An episode: it goes north, then looks; -0.01 a step, 1 at the end."""
    return [
        LabelledTransition(
            Transition(
                "T-v0",
                {"events": f"{episode} {i}"},
                TASK.actions[i % 2],
                episode,
                i,
                i == steps - 1 and not truncated,
                i == steps - 1 and truncated,
            ),
            {"go": i == 0},
            {"level_seed": 5, "player": "p", "reward": "1" if i == steps - 1 else "-0.01"},
            screen(chr(65 + i)),
            screen(chr(66 + i), "f"),
        )
        for i in range(steps)
    ]


def test_an_episode_has_an_observation_more_than_steps() -> None:
    (task,) = episodes_of_rows([*rows("a", 3), *rows("b", 2, truncated=True)], {"T-v0": TASK}, "s")
    first, second = task.episodes
    assert first.observations["tty_chars"].shape == (4, 24, 80)
    assert first.observations["tty_chars"][:, 5, 9].tolist() == [65, 66, 67, 68]
    assert first.observations["tty_colors"][:, 0, 0].tolist() == [7, 15, 15, 15]
    assert first.actions.tolist() == [0, 1, 0]
    assert first.rewards.tolist() == [-0.01, -0.01, 1.0]
    assert (first.terminated, second.terminated) == (True, False)
    assert first.infos["events"] == ["", "a 0", "a 1", "a 2"]
    assert first.infos["achieved"].tolist() == [[0], [1], [0], [0]]
    assert (first.level_seed, first.origin, task.subgoals) == (5, "p", ("go",))
    assert any("`screen` and `crop`" in line for line in task.left_out)


def test_an_episode_that_ctrl_c_cut_off_is_left_out_and_told() -> None:
    (task,) = episodes_of_rows([*rows("a", 3), *rows("b", 3)[:2]], {"T-v0": TASK}, "s")
    assert len(task.episodes) == 1
    assert "the last episode, cut off: 'T-v0/b'" in task.left_out[-1]


WHOLE = rows("a", 3)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (WHOLE[1:], "steps were picked. `--format datasets` takes any"),
        ([WHOLE[0], WHOLE[2]], "has not every step from 0 on"),
        (WHOLE[:2], "does not end with its last step"),
        ([*WHOLE[:2], *rows("b", 2)], "1 of the 2 episodes in s are not whole"),
        ([replace(WHOLE[0], before=None), *WHOLE[1:]], "has no screens"),
        ([replace(WHOLE[0], provenance={}), *WHOLE[1:]], "has no rewards; `calm collect`"),
        ([replace(r, provenance={"reward": "much"}) for r in WHOLE], "its reward is 'much'"),
        ([replace(WHOLE[0], after=Screen("@", "7")), *WHOLE[1:]], "no 24 lines of 80"),
    ],
)
def test_what_is_no_whole_episode_is_refused(
    broken: list[LabelledTransition], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        episodes_of_rows(broken, {"T-v0": TASK}, "s")


def test_an_action_that_has_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="'north' is no action of T-v0"):
        episodes_of_rows(WHOLE, {"T-v0": replace(TASK, actions=("look",))}, "s")
    with pytest.raises(UsageError, match="two actions of one name"):
        episodes_of_rows(WHOLE, {"T-v0": replace(TASK, actions=("north", "north"))}, "s")


def test_a_recording_has_its_judges_answers() -> None:
    glyphs = np.full((21, 79), 2359, "<i2").tobytes()
    s = screen("@")
    steps = [
        Step(0, 0, 9, s.chars, s.colours, "", "", [], False, 0, 0, 0.5, "", glyphs),
        Step(0, 1, 9, s.chars, s.colours, "look", "x", ["go"], False, 0, 1, 0.4, "", glyphs),
        Step(0, 2, 9, s.chars, s.colours, "north", "y", [], True, 1, 0, 0, "time ran out", glyphs),
    ]
    task = episodes_of_recording(Recording("T-v0", "rules", 0.3, 64, ["go"], [steps]), TASK)
    (one,) = task.episodes
    assert one.observations["glyphs"].shape == (3, 21, 79)
    assert one.observations["glyphs"].dtype == np.int16
    assert one.actions.tolist() == [1, 0]
    assert one.rewards.tolist() == [0, 1]
    assert not one.terminated
    assert one.infos["achieved"].tolist() == [[0], [1], [-1]]
    assert (one.infos["credit"], one.infos["value"]) == ([0, 1, 0], [0.5, 0.4, 0])
    assert task.achieved_by == "the judge rules"
    old = [replace(step, glyphs=b"") for step in steps]
    with pytest.raises(UsageError, match="older than maps in recordings"):
        episodes_of_recording(Recording("T-v0", "rules", 0.3, 64, ["go"], [old]), TASK)
