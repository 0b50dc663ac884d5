"""`calm store stats`: answers, and every attempt."""

import json
from pathlib import Path

from tests.support.kitchen import calm


def test_stats_count_answers_and_every_attempt(folder: Path) -> None:
    done = calm("store", "stats", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["answers"] == [
        {"kind": "judge", "model": "m", "task": "Kitchen-v0", "mode": "events",
         "verdicts": {"invalid": 1, "ok": 2}}
    ]  # fmt: skip
    assert counts["models"]["m"]["attempts"] == 4
    assert counts["models"]["m"]["failed"] == {"500": 1}
    assert counts["models"]["m"]["cost"] is None
    shown = calm("store", "stats", cwd=folder).stdout
    assert "price not known" in shown
    assert "500 1" in shown
