"""When a keeper takes its server to hang."""

from pathlib import Path

from calm.local.keeper import Keeper


def test_a_keeper_that_was_held_itself_asks_before_it_ends_a_server(tmp_path: Path) -> None:
    class Asks(Keeper):
        health = [True, True, False]

        def answers(self, url: str) -> bool:
            return self.health.pop(0)

    keeper = Asks(tmp_path, {"command": [], "hang": 0})  # the time is always over
    keeper.check_health("http://127.0.0.1:9/v1")
    assert keeper.health == []
    assert keeper.unhealthy.is_set()
