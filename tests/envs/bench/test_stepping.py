from __future__ import annotations

import pytest

from envs.bench.contestants import PEERS
from envs.bench.stepping import run


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the peers
def test_bench_has_the_shape_that_scripts_read() -> None:
    lines: list[str] = []
    result = run(quick=True, progress=lines.append)
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
