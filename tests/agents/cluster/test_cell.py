"""How an attempt at a cell ends, and what is told of it on another machine."""

import errno
from pathlib import Path

import pytest

from agents.cluster.cell import CellNeeds, Ending, ending_of, train_cell
from agents.cluster.versions import host, versions
from agents.training.executor import Lost
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.errors import BudgetError, CalmError


def test_errors_with_a_name_end_a_cell_and_others_are_worth_another_attempt() -> None:
    assert ending_of(BudgetError("spent")) == Ending("BudgetError", "spent")
    assert ending_of(CalmError("the disk is full")) == Ending(
        "lost", f"the disk is full (on {host()})"
    )
    error = ValueError("too much")
    error.add_note("resume it so")
    assert ending_of(error).message == f"ValueError: too much. resume it so (on {host()})"
    assert ending_of(KeyboardInterrupt()).kind == "interrupted"


def test_a_machine_that_is_full_is_told_with_what_to_do() -> None:
    memory, disk = ending_of(MemoryError()), ending_of(OSError(errno.ENOSPC, "", "/tmp/cell"))
    assert (memory.kind, disk.kind) == ("lost", "lost")
    assert "no memory left; reserve more with --memory" in memory.message
    assert "disk of its machine (/tmp/cell); free some there" in disk.message


def test_an_ending_is_told_as_news() -> None:
    assert Ending().news() is None
    assert Ending("lost", "gone").news() == Lost("gone")
    assert isinstance(Ending("interrupted").news(), KeyboardInterrupt)
    error = Ending("BudgetError", "spent").news()
    assert type(error) is BudgetError
    assert str(error) == "spent"
    assert type(Ending("NoSuchError", "what").news()) is CalmError


def test_a_machine_of_other_versions_trains_nothing(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(judge="none"))
    expected = versions() | {"torch": "1.0"}
    ending = train_cell(run, CellNeeds(), expected, tmp_path / "store.sqlite", lambda _: None)
    news = ending.news()
    assert isinstance(news, Lost)  # another machine may have them
    assert f"{host()} has torch" in news.reason
    assert "and not 1.0" in news.reason
    assert not run.checkpoint_path.exists()


@pytest.mark.parametrize("judge", ["none", "rules"])
def test_the_status_is_told_now_and_then(tmp_path: Path, judge: str) -> None:
    config = TrainConfig(
        judge=judge, n_envs=4, n_steps=16, steps=128, eval_episodes=2, features_dim=16
    )
    run = Run.create(tmp_path / "run", config)
    statuses: list[int] = []
    store = tmp_path / "store.sqlite"
    ending = train_cell(run, CellNeeds(), versions(), store, lambda s: statuses.append(s.steps))
    assert ending == Ending()
    assert run.metrics()[-1]["steps"] == 128
    assert statuses[0] == 0  # after the first evaluation; the others come within two seconds
