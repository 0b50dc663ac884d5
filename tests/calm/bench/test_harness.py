"""What every bench shares: figures by hand, and a bench that was stopped is shown as it ended."""

import json
import sys

import pytest

from calm.bench.harness import Say, machine, ratio, row, run_bench, said_of


def test_a_row_has_the_median_and_both_ends() -> None:
    assert row("ours", "ms", [5.0, 1.0, 2.0], task="KeyRoom") == {
        "name": "ours", "value": 2.0, "unit": "ms", "min": 1.0, "max": 5.0, "task": "KeyRoom",
    }  # fmt: skip


def test_a_line_says_whom_it_is_about() -> None:
    lines: list[str] = []
    said_of("ours", lines.append)("7 steps")
    assert lines == ["ours: 7 steps"]


def test_a_ratio_is_the_median_over_rounds() -> None:
    assert ratio([2.0, 9.0, 8.0], [1.0, 3.0, 1.0]) == 3.0  # of 2, 3 and 8
    with pytest.raises(ValueError, match="longer"):
        ratio([1.0], [1.0, 2.0])


def test_the_machine_is_named_with_what_a_bench_adds() -> None:
    about = machine(torch="2.13.0")
    assert about["torch"] == "2.13.0"
    assert about["cores"] >= 1
    assert about["cpu"]
    assert about["python"] == sys.version.split()[0].rstrip("+")


@pytest.mark.parametrize("stopped", [False, True])
def test_a_bench_that_was_stopped_is_printed_and_ends_as_ctrl_c_does(
    stopped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"name": "ours", "value": 2.0, "unit": "steps/s", "min": 1.0, "max": 3.0}]

    def bench(say: Say) -> dict[str, object]:
        say("round 1 of 2")
        return {"bench": "train", "rows": rows, "ratios": {"sb3": 1.5}, "stopped": stopped}

    for as_json in (True, False):
        if stopped:
            with pytest.raises(KeyboardInterrupt):
                run_bench(bench, as_json)
        else:
            run_bench(bench, as_json)
        printed = capsys.readouterr()
        assert "round 1 of 2" in printed.err
        if as_json:
            assert json.loads(printed.out)["rows"] == rows
        else:
            assert "calm bench train" in printed.out
            assert "1.5" in printed.out
