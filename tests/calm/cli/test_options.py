"""What the commands share: files that can't be written are named first, benches end as they did."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from calm.cli.options import check_writable, run_bench
from calm.errors import UsageError


def test_a_file_that_can_be_written_gets_its_folder_and_is_not_touched(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "rows.parquet")
    assert (tmp_path / "new").is_dir()
    assert not list((tmp_path / "new").iterdir())
    (kept := tmp_path / "kept").write_text("as it was")
    check_writable(kept)
    assert kept.read_text() == "as it was"


def test_what_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (file := tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/rows: .*file: File exists; name another"):
        check_writable(file / "rows")
    with pytest.raises(UsageError, match="it is a folder; name a file"):
        check_writable(tmp_path)
    with pytest.raises(UsageError, match="can't write /proc/rows"):
        check_writable(Path("/proc/rows"))
    for length in (300, 250):  # the second is too long only while it is not whole
        with pytest.raises(UsageError, match="rrr: File name too long"):
            check_writable(tmp_path / ("r" * length))
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch(0o400)
    with pytest.raises(UsageError, match="file: Permission denied"):
        check_writable(file)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_bench_that_was_stopped_is_printed_and_ends_as_ctrl_c_does(
    stopped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"name": "ours", "value": 2.0, "unit": "steps/s", "min": 1.0, "max": 3.0}

    def bench(say: Callable[[str], None]) -> dict[str, object]:
        say("round 1 of 2")
        return {"bench": "train", "rows": [row], "ratios": {"sb3": 1.5}, "stopped": stopped}

    for as_json in (True, False):
        if stopped:
            with pytest.raises(KeyboardInterrupt):
                run_bench(bench, as_json)
        else:
            run_bench(bench, as_json)
        printed = capsys.readouterr().out
        if as_json:
            assert json.loads(printed)["rows"] == [row]
        else:
            assert "calm bench train" in printed
            assert "1.5" in printed
