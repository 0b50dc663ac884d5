"""`calm bench student` prints shares of texts, and takes other tasks than its own."""

import json

from tests.support.command_line import calm


def test_shares_are_printed_for_each_agreement() -> None:
    report = json.loads(calm("bench", "student", "Eat", "--steps", 640, "--texts", 60, "--json"))
    assert list(report["ratios"]) == ["student@0.9", "student@0.95", "student@0.98", "student@0.99"]
    assert {row["task"] for row in report["rows"]} == {"MiniHack-Eat-v0"}
    assert all(0 <= row["value"] <= 1 for row in report["rows"])
