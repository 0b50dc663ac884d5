"""`calm report` writes where no run's own report lies, and says where."""

from pathlib import Path

import pytest

from tests.support.command_line import calm
from tests.support.measured_runs import run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for i, name in enumerate(("a", "b")):
        run(folder / name, i, 0.5)
        (folder / name / "report.html").write_text("of its own")
    return folder


@pytest.mark.parametrize("named", [["."], ["a", "b"], ["?"]], ids=["folder", "runs", "pattern"])
def test_a_report_of_several_runs_lies_beside_them(runs: Path, named: list[str]) -> None:
    path = Path(calm("report", *(str(runs / name) for name in named)).strip().splitlines()[-1])
    assert path.resolve() == runs / "report.html"
    assert (runs / "a" / "report.html").read_text() == "of its own"


def test_a_report_of_one_run_is_its_own(runs: Path) -> None:
    for named in ("a", "[a]"):
        path = Path(calm("report", str(runs / named)).strip().splitlines()[-1])
        assert path == runs / "a" / "report.html"
