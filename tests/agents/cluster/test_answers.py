"""A study's stored answers, copied for cells that read them."""

from pathlib import Path

import pytest

from agents.cluster.answers import copy_of_answers, reads_answers, store_of_attempt
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.store.store import Store


@pytest.mark.parametrize(
    ("judge", "reads"), [("none", False), ("rules", False), ("truth", False), ("replay:m", True)]
)
def test_who_reads_a_store(judge: str, reads: bool) -> None:
    assert reads_answers(TrainConfig(judge=judge)) == reads
    assert reads_answers(TrainConfig(judge=judge, subgoals="4f2a9c"))


def test_a_copy_is_what_was_committed(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(judge="replay:m"))
    path = tmp_path / "store.sqlite"
    assert copy_of_answers([run], path) is None
    with Store(path) as store:
        store.database.execute("CREATE TABLE mine (value)")
        store.database.execute("INSERT INTO mine VALUES (7)")
        content = copy_of_answers([run], path)
    assert content is not None
    (tmp_path / "file").write_bytes(content)
    for answers in (content, tmp_path / "file"):
        with store_of_attempt(answers) as copy, Store(copy) as opened:
            assert opened.database.value("SELECT value FROM mine") == 7
        assert not copy.exists()
    with store_of_attempt(None) as empty:
        assert not empty.exists()


def test_cells_that_read_no_answers_get_none(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(judge="rules"))
    with Store(tmp_path / "store.sqlite"):
        assert copy_of_answers([run], tmp_path / "store.sqlite") is None
