"""Who asks again is told what has changed, and no more; what is new in the folders is found."""

from pathlib import Path

import pytest

from agents.watch import watching as module
from agents.watch.truths import KnownTruths
from agents.watch.watching import Watching
from calm.errors import UsageError
from data.judgements import write_judgements
from tests.support.measured_runs import rows, run
from tests.support.watched import write_set, write_store


@pytest.fixture(autouse=True)
def _look_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "SEARCH_SECONDS", 0.0)


def watching(folder: Path, *stores: Path) -> Watching:
    write_set(folder.parent / "set.parquet")
    return Watching([folder], KnownTruths([str(folder.parent / "set.parquet")]), stores)


def test_only_what_has_changed_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    a = run(folder / "a", 0, 0.5)
    run(folder / "b", 1, 0.25)
    watched = watching(folder)
    first = watched.changes("", 0)
    ids = [f"run:{folder / name}" for name in "ab"]
    group = f"group:{a.config.task}"
    assert set(first["sections"]) == {*ids, group}
    assert first["sections"][group]["runs"] == ids
    assert len(set(first["sections"][group]["arms"].values())) == 1
    assert watched.changes(first["boot"], first["version"])["sections"] == {}
    a.write_metrics(rows(0.5, 0.75))
    second = watched.changes(first["boot"], first["version"])
    assert set(second["sections"]) == {ids[0]}  # charts are drawn again after a while
    assert second["version"] > first["version"]
    assert set(watched.changes("of another process", second["version"])["sections"]) == {
        *ids,
        group,
    }
    watched.close()


def test_what_comes_is_added_and_what_goes_is_told_once(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    run(folder / "a", 0, 0.5)
    watched = watching(folder)
    before = watched.changes("", 0)
    b = run(folder / "b", 1, 0.5)
    write_store(folder / "s.sqlite")
    write_judgements(folder / "answers.parquet", [])
    after = watched.changes(before["boot"], before["version"])
    added = {f"run:{b.folder}", "store:0", f"answers:{folder / 'answers.parquet'}"}
    assert set(after["sections"]) == {*added, f"group:{b.config.task}"}
    (folder / "answers.parquet").unlink()
    gone = watched.changes(after["boot"], after["version"])
    assert gone["sections"] == {f"answers:{folder / 'answers.parquet'}": None}
    assert f"answers:{folder / 'answers.parquet'}" not in watched.changes("", 0)["sections"]
    watched.close()


def test_a_run_whose_settings_cannot_be_read_is_shown_beside_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    run(folder / "a", 0, 0.5)
    (folder / "b").mkdir()
    (folder / "b" / "config.yaml").write_text("nothing: known")
    watched = watching(folder)
    sections = watched.changes("", 0)["sections"]
    assert "unknown setting 'nothing'" in sections[f"run:{folder / 'b'}"]["problem"]
    assert sections[f"run:{folder / 'a'}"]["problem"] == ""
    watched.close()


def test_a_store_named_beside_is_shown_once(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    write_store(folder / "s.sqlite")
    write_store(tmp_path / "other.sqlite")
    watched = watching(folder, tmp_path / "other.sqlite", folder / ".." / "out" / "s.sqlite")
    paths = [view.path for view in watched.stores.values()]
    assert paths == [folder / "s.sqlite", tmp_path / "other.sqlite"]
    watched.close()


def test_runs_that_are_named_have_more_and_others_nothing(tmp_path: Path) -> None:
    a = run(tmp_path / "runs" / "a", 0, 0.5)
    watched = watching(tmp_path / "runs")
    watched.changes("", 0)
    details = watched.run(f"run:{a.folder}")
    assert details is not None
    assert details["texts"] == 0
    assert watched.run("run:/etc") is None
    watched.close()


def test_nothing_to_watch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not there: expected"):
        watching(tmp_path / "runs")
