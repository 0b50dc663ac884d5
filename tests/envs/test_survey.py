"""Random play is counted right, tasks that can't be played are told, files are added to."""

from pathlib import Path

import pytest

from calm.errors import CalmError, UsageError
from envs.events.words import VERSIONS
from envs.survey import ENVS, Survey, load_surveys, save_surveys, survey, survey_all

LEVEL = """MAZE: "mylevel", ' '
FLAGS: noteleport, hardfloor
GEOMETRY: center, center
MAP
|--|
|..|
|--|
ENDMAP
REGION: (0,0,3,2), lit, "ordinary"
BRANCH: (1,1,1,1), (0,0,0,0)
STAIR: (2,1), down
"""


@pytest.fixture
def closet(tmp_path: Path) -> str:
    """A room of two cells, the stairs beside the hero: a step east wins."""
    file = tmp_path / "closet.yaml"
    level = "\n".join(f"  {line}" for line in LEVEL.splitlines())
    file.write_text(f"id: Closet-v0\ngoal: Leave.\nactions: [move east]\ndes_file: |\n{level}\n")
    return str(file)


def test_every_episode_of_a_task_that_one_step_wins_is_won(closet: str) -> None:
    one = survey(closet, steps=ENVS + 1)  # two steps of each environment
    assert (one.task, one.actions, one.path) == ("Closet-v0", 1, "native")
    assert one.steps == 2 * ENVS
    assert one.episodes == one.rewarded == one.steps_rewarded == one.won == 2 * ENVS
    assert one.events == 1
    assert one.steps_a_second > 0
    assert survey(closet, ENVS, timed=False).steps_a_second == 0


def test_events_subgoals_and_truth_of_a_known_task() -> None:
    few, more = (survey("KeyRoom-S5", steps) for steps in (ENVS, 20 * ENVS))
    assert (few.subgoals, few.with_truth, few.limit) == (8, 8, 200)
    assert 1 <= few.events < more.events
    assert survey("KeyRoom-S5", ENVS, seed=0).events == few.events


def test_each_version_of_texts_has_fewer() -> None:
    first, second, third = (
        survey("Quest-Easy", 40 * ENVS, timed=False, descriptions=version) for version in VERSIONS
    )
    assert 0 < third.events < second.events < first.events
    assert len({(one.steps, one.episodes) for one in (first, second, third)}) == 1
    assert (first.descriptions, second.descriptions, third.descriptions) == VERSIONS


def test_a_version_that_there_is_none_of_is_no_fault_of_the_task() -> None:
    surveys: list[Survey] = []
    with pytest.raises(UsageError, match="versions 1, 2, 3; got 4"):
        survey_all(["KeyRoom-S5"], ENVS, 0, surveys.append, descriptions=4)
    assert surveys == []  # nothing that `calm survey --out` would write over a survey of before


def test_a_task_that_cant_be_played_is_listed_with_its_reason(closet: str) -> None:
    seen: list[Survey] = []
    surveys = survey_all(["Boxoban-Hard", closet], ENVS, 0, seen.append)
    assert surveys == seen
    assert "download" in surveys[0].error
    assert surveys[1].error == ""
    with pytest.raises(UsageError, match="unknown task"):
        survey_all(["Nowhere"], ENVS, 0, seen.append)


def test_a_file_is_added_to_and_replaced_in(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    save_surveys(path, [Survey("b", events=2), Survey("c", events=3)])
    save_surveys(path, [Survey("a", events=5), Survey("c", events=7)])
    assert [(one.task, one.events) for one in load_surveys(path)] == [("a", 5), ("b", 2), ("c", 7)]


@pytest.mark.parametrize("text", ["{", '[{"colour": 1}]', "[3]"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(text)
    with pytest.raises(CalmError, match="name another file"):
        save_surveys(path, [Survey("a")])
    assert path.read_text() == text
