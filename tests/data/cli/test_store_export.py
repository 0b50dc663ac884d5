"""`calm store export` and `import`: what is said of answers on their way."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.store.store import Store
from tests.support.command_line import calm
from tests.support.kitchen import make_kitchen


def test_answers_go_out_once(tmp_path: Path) -> None:
    store = make_kitchen(tmp_path) / "calm.sqlite"
    output = calm("store", "export", tmp_path / "out", "--store", store)
    assert output.startswith("3 answers written to ")
    with pytest.raises(UsageError, match="holds an export already"):
        calm("store", "export", tmp_path / "out", "--store", store)


def test_a_store_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no store at"):
        calm("store", "export", tmp_path / "out", "--store", tmp_path / "none.sqlite")
    assert not (tmp_path / "out").exists()


def test_an_empty_store_is_exported_too(tmp_path: Path) -> None:
    Store(tmp_path / "empty.sqlite").close()
    output = calm("store", "export", tmp_path / "out", "--store", tmp_path / "empty.sqlite")
    assert output.startswith("0 answers written to ")
