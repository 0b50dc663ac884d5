from __future__ import annotations

import pytest

from envs.bench.contestants import PEERS
from envs.bench.stepping import (
    ENGINE,
    JUDGED,
    JUDGED_1,
    MINIHACK,
    OURS,
    OURS_1,
    _Contest,
    _ratios,
    run,
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the peers
def test_bench_has_the_shape_that_scripts_read() -> None:
    lines: list[str] = []
    result = run(("Eat",), quick=True, progress=lines.append)
    assert result["bench"] == "env"
    assert result["machine"]["cores"] >= 1
    assert lines
    names = {row["name"] for row in result["rows"]}
    for peer in PEERS:
        assert any(name.startswith(peer) for name in names)
    for row in result["rows"]:
        assert 0 < row["min"] <= row["value"] <= row["max"]
        assert row["unit"] == "steps/s"
    assert set(result["ratios"]) == {
        "minihack", "best_peer", "engine", "credit_cost", "credit_cost_all_cores",
    }  # fmt: skip
    assert result["ratios"]["minihack"] > 1
    assert result["missing"] == []


@pytest.mark.slow
def test_others_may_be_left_out() -> None:
    result = run(("Eat",), quick=True, peers=False)
    names = {row["name"] for row in result["rows"]}
    assert MINIHACK in names
    assert not any(name.startswith(tuple(PEERS)) for name in names)
    assert "best_peer" not in result["ratios"]


def test_where_the_engine_alone_can_not_play_its_ratio_is_left_out() -> None:
    names = (OURS, OURS_1, JUDGED, JUDGED_1, MINIHACK)
    rates = dict(zip(names, ([8.0], [4.0], [4.0], [2.0], [0.5]), strict=True))
    shares = {"credit_cost": 1.0, "credit_cost_all_cores": 1.0}
    assert _ratios(_Contest(rates)) == {"minihack": 8.0, **shares}
    assert _ratios(_Contest(rates | {ENGINE: [16.0]})) == {"minihack": 8.0, "engine": 0.5, **shares}
