"""`calm bench student` prints shares of texts, and takes other tasks than its own."""

import json
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.loopback import Loopback
from calm.store.store import Store
from tests.support.command_line import calm


def test_shares_are_printed_for_each_agreement() -> None:
    report = json.loads(calm("bench", "student", "Eat", "--steps", 640, "--texts", 60, "--json"))
    assert list(report["ratios"]) == ["student@0.9", "student@0.95", "student@0.98", "student@0.99"]
    assert {row["task"] for row in report["rows"]} == {"MiniHack-Eat-v0"}
    assert all(0 <= row["value"] <= 1 for row in report["rows"])


def test_a_model_is_asked_in_the_form_that_is_named(tmp_path: Path) -> None:
    """Each text once, whatever the number of students; the answers are in the store."""
    store = tmp_path / "calm.sqlite"
    with Loopback(answer=lambda body: "none") as server:
        options = ("--judge", "openai:m", "--form", "lines", "--base-url", server.url)
        some = ("Eat", "--steps", 320, "--texts", 9, "--store", store, "--json")
        report = json.loads(calm("bench", "student", *options, *some))
    assert {row["texts"] for row in report["rows"]} == {9}
    with Store(store) as opened:
        assert opened.models() == ["m"]


def test_a_form_without_a_model_is_refused() -> None:
    with pytest.raises(UsageError, match="--form is of a model's answers; rules is none"):
        calm("bench", "student", "Eat", "--form", "lines")
