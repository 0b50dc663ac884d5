"""`calm collect`: what it writes and says."""

import json
from pathlib import Path

from data.parquet import read_transitions
from tests.support.command_line import calm


def test_collect_writes_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "new" / "played.parquet"
    told = json.loads(calm("collect", "Room-5x5", "--out", path, "--episodes", 2, "--json"))
    rows = read_transitions(path).rows
    assert told["transitions"] == len(rows)
    assert told["episodes"] == 4
    assert {r.provenance["player"] for r in rows} == {"scripted", "random"}
    assert all(set(r.transition.texts) == {"screen", "crop", "events"} for r in rows)
    assert told["achieved"]["reach the staircase down"] >= 2  # the scripted player finishes
