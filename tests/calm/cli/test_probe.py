"""`calm probe`: what an endpoint can do."""

import json
from pathlib import Path

from calm.loopback import Loopback
from tests.support.kitchen import RULES, calm


def test_probe_prints_the_card(folder: Path) -> None:
    with Loopback(RULES) as server:
        done = calm("probe", server.url, "--no-concurrency", "--json", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["model"] == "loopback"
        # It judges and names subgoals; what the probe asks is beyond it, and that is said.
        assert "the simplest answer could not be read (invalid: missing: sky, grass" in done.stderr
        wrong = server.url.replace("/v1", "/wrong")
        done = calm("probe", wrong, cwd=folder)
    assert done.returncode == 5
    assert f"{wrong} knows no such page" in done.stderr
    assert "model" not in done.stderr
