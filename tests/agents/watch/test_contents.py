"""What there is to watch in a folder, and what is said where there is nothing."""

import os
from pathlib import Path

import pytest

from agents.watch.contents import Contents, contents_of
from calm.errors import UsageError
from calm.store.store import Store
from data.judgements import write_judgements
from data.label.store import LabelStore
from tests.support.watched import write_set, write_store


def test_each_kind_is_known_by_what_it_holds(tmp_path: Path) -> None:
    run = tmp_path / "study" / "cells" / "T" / "rules" / "seed0"
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    write_judgements(run / "of-a-run.parquet", [])
    write_store(tmp_path / "study" / "store.sqlite")
    write_judgements(tmp_path / "answers.parquet", [])
    write_set(tmp_path / "set.parquet")
    LabelStore(tmp_path / "labels.sqlite").close()
    (tmp_path / "broken.sqlite").write_bytes(b"SQLite format 3\0 and no more")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "evaluate.json").write_text("{}")
    everything = Contents(
        [run],
        [tmp_path / "study" / "store.sqlite"],
        [tmp_path / "out" / "evaluate.json"],
        [tmp_path / "answers.parquet"],
    )
    assert contents_of([tmp_path]) == everything
    assert contents_of([tmp_path, f"{tmp_path}/st*"]) == everything
    assert contents_of([run]) == Contents([run])
    assert contents_of([tmp_path / "study" / "store.sqlite"]).stores == everything.stores


def test_a_store_that_was_just_begun_is_known(tmp_path: Path) -> None:
    """What says that it is one may still be in the log beside the file."""
    with Store(tmp_path / "s.sqlite"):
        assert contents_of([tmp_path]).stores == [tmp_path / "s.sqlite"]
    (tmp_path / "answers").write_bytes((tmp_path / "s.sqlite").read_bytes())
    assert contents_of([tmp_path / "answers"]).stores == [tmp_path / "answers"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "empty is empty: expected the folder of a run"),
        ("nowhere", "nowhere is not there: expected"),
        ("other", r"other holds nothing to watch: .*\(`calm train`\).*`calm.sqlite`"),
        ("other/set.parquet", "holds nothing to watch"),
        ("other/notes.txt", "holds nothing to watch"),
        ("x*", r"x\* is not there"),
    ],
)
def test_where_there_is_nothing_it_is_said_what_was_expected(
    name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("other").mkdir()
    write_set(Path("other/set.parquet"))
    Path("other/notes.txt").write_text("notes")
    with pytest.raises(UsageError, match=reason):
        contents_of([name])


def test_a_pipe_among_the_files_is_passed_over(tmp_path: Path) -> None:
    write_store(tmp_path / "a.sqlite")
    for name in ("b.sqlite", "c.parquet", "config.yaml", "evaluate.json"):
        os.mkfifo(tmp_path / name)  # whoever opened it would wait for ever
    assert contents_of([tmp_path]) == Contents(stores=[tmp_path / "a.sqlite"])
