"""`calm replay` as a shell sees it: files, JSON, frames where there is no terminal, the report."""

import json
from pathlib import Path

import pytest

from agents.report.page import report_runs
from agents.training.run.folder import Run
from calm.errors import UsageError
from tests.support.command_line import calm


def test_records_makes_the_page_and_the_report_links_it(run: Run, tmp_path: Path) -> None:
    assert "space pauses" in calm("replay", "--help")
    summary = json.loads(calm("replay", run.folder, "--episodes", 2, "--json"))
    assert summary["page"] == str(run.folder / "replay.html")
    assert Path(summary["page"]).is_file()
    assert Path(summary["recording"]).is_file()
    assert len(summary["episodes"]) == 2
    assert all(episode["steps"] >= 1 and episode["end"] for episode in summary["episodes"])
    assert '<a href="replay.html">' in (run.folder / "report.html").read_text()
    elsewhere = report_runs([run], tmp_path / "report.html").read_text()
    assert f'{run.folder.name}/replay.html">' in elsewhere


def test_without_a_terminal_it_prints_the_frames(run: Run) -> None:
    printed = calm("replay", run.folder, "--episodes", 1)
    assert "episode 1, level" in printed
    assert "@" in printed
    assert "value" in printed
    assert printed.rstrip().endswith("replay.html")
    assert "episode 1" not in calm("replay", run.folder, "--no-play")


def test_what_cannot_be_written_is_told_before_the_play(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="name another file with --gif"):
        calm("replay", run.folder, "--again", "--gif", tmp_path / "file" / "a.gif")
    assert not (run.folder / "episodes.parquet").exists()
    (run.folder / "replay.html").mkdir()
    with pytest.raises(UsageError, match=r"replay\.html: it is a folder; make the run's folder"):
        calm("replay", run.folder)


def test_films_are_written_where_they_are_wanted(run: Run, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.gif", "a.mp4", "a.ttyrec")]
    wanted = [word for file in files for word in (f"--{file.suffix[1:]}", file)]
    summary = json.loads(
        calm("replay", run.folder, "--episodes", 2, "--only", 2, *wanted, "--json")
    )
    assert summary["files"] == list(map(str, files))
    assert files[0].read_bytes()[:6] == b"GIF89a"
    assert files[1].read_bytes()[4:8] == b"ftyp"
    steps = summary["episodes"][1]["steps"] + 1
    assert files[2].read_bytes().count(b"\x1b[2J\x1b[H") == steps
    with pytest.raises(UsageError, match="no episode 3: expected 1 to 2"):
        calm("replay", run.folder, "--only", 3, "--gif", tmp_path / "b.gif")


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        calm("replay", tmp_path)
