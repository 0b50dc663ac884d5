"""Sets and answers as packages: they come back as they went, and what is changed is found."""

import json
import shutil
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Subgoal, Task, Transition
from calm.store.store import Store
from data.dataset import SHIPPED, load
from data.parquet import read_transitions
from data.sharing.packages import (
    check_set,
    check_store,
    what_answers_tell,
    write_set_package,
    write_store_package,
)
from tests.support.key_and_door import key_and_door_set

TASK = Task("T", "Go.", (Subgoal("even", "It is even."),))


def test_a_packaged_set_goes_to_the_byte(tmp_path: Path) -> None:
    package = write_set_package("keyroom-v1", tmp_path / "out")
    names = [file.name for file in package.files]
    assert names == ["balanced.parquet", "manifest.json", "natural.parquet"]
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (
            SHIPPED / "keyroom-v1" / name
        ).read_bytes()
    assert package.about["transitions"] == 2356
    assert (tmp_path / "out" / "transitions" / "natural.parquet").is_file()
    check_set(tmp_path / "out")


def test_a_file_of_transitions_becomes_a_set(tmp_path: Path) -> None:
    source = key_and_door_set(tmp_path / "play.parquet")
    write_set_package(source, tmp_path / "out", "mit")
    check_set(tmp_path / "out")
    dataset = load(tmp_path / "out")
    assert dataset.name == "play"
    assert dataset.part("all").rows == read_transitions(source).rows
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["licence"] == "mit"


def test_a_set_that_is_not_what_its_manifest_says_is_found(tmp_path: Path) -> None:
    write_set_package("keyroom-v1", tmp_path / "out")
    shutil.copy(tmp_path / "out" / "natural.parquet", tmp_path / "out" / "balanced.parquet")
    with pytest.raises(UsageError, match="balanced: content is"):
        check_set(tmp_path / "out")


def asked(path: Path) -> str:
    """A store with answers about five numbers; the address that was asked."""
    transitions = [Transition("T", {"events": f"It is {i}."}, "") for i in range(5)]
    with Store(path) as store, Loopback({"even": (r"\d*[02468]\.",)}) as server:
        make_judge("openai:m", base_url=server.url, store=store).judge(
            TASK, TASK.subgoals, transitions
        )
        return server.url


def test_of_a_store_its_answers_go_and_what_they_tell_is_said(tmp_path: Path) -> None:
    address = asked(tmp_path / "mine.sqlite")
    package = write_store_package(tmp_path / "mine.sqlite", tmp_path / "out")
    assert [file.name for file in package.files] == ["answers.parquet", "manifest.json"]
    about = what_answers_tell(tmp_path / "out")
    assert (about["answers"], about["texts"], about["models"]) == (5, 5, {"m": 5})
    assert list(about["endpoints"]) == [address]
    assert package.about["endpoints"] == about["endpoints"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "5 answers of language models about 5 texts" in card
    check_store(tmp_path / "out")
    (tmp_path / "out" / "answers.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match="the sha-256 differs"):
        check_store(tmp_path / "out")


def test_what_is_no_store_or_holds_nothing_is_told(tmp_path: Path) -> None:
    Store(tmp_path / "empty.sqlite").close()
    with pytest.raises(UsageError, match="holds no answers"):
        write_store_package(tmp_path / "empty.sqlite", tmp_path / "out")
    with pytest.raises(UsageError, match="no store at"):
        write_store_package(tmp_path / "none.sqlite", tmp_path / "out")
    with pytest.raises(UsageError, match="is there already"):
        write_store_package(tmp_path / "empty.sqlite", tmp_path)
    with pytest.raises(UsageError, match="is there already"):
        write_set_package("keyroom-v1", tmp_path)
    assert not (tmp_path / "out").exists()
