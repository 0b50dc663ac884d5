"""minihack-v2: its tasks can be built one by one, and come out as they are shipped."""

from __future__ import annotations

import os

import pytest

from agents.data_sets.minihack_v2 import TASKS, play_task, players_of
from calm.records import LabelledTransition
from data.dataset import load
from envs.game.levels.boxoban import FOLDER
from envs.tasks import task_id


def content(row: LabelledTransition) -> list[object]:
    """Returns all that a row holds; a file has its provenance as text."""
    provenance = {name: str(value) for name, value in row.provenance.items()}
    return [row.transition, row.truth, row.before, row.after, provenance]


@pytest.mark.parametrize("name", ["LavaCross-Restricted", "Boxoban-Medium", "Sokoban3a"])
def test_a_task_is_built_as_it_is_shipped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "/elsewhere")
    id = task_id(name)
    shipped = load("minihack-v2")
    for part, rows in zip(("picked", "natural"), play_task(id), strict=True):
        of_task = [row for row in shipped.parts[part].rows if row.transition.task == id]
        assert [content(row) for row in rows] == [content(row) for row in of_task]
    assert os.environ[FOLDER] == "/elsewhere"


def test_every_task_is_there_with_all_that_it_is_asked_about() -> None:
    for part in load("minihack-v2").parts.values():
        assert set(part.tasks) == set(TASKS)
        assert {row.transition.task for row in part.rows} == set(TASKS)
        for row in part.rows:
            names = {s.name for s in part.tasks[row.transition.task].subgoals}
            assert set(row.truth) == names


def test_who_plays() -> None:
    assert players_of("MiniHack-WoD-Easy-Full-v0") == ("quester", "sloppy-quester", "random")
    assert players_of("MiniHack-Sokoban1a-v1") == ("scripted", "sloppy", "random")
