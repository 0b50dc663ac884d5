"""`import calm`: the names it offers, that they are documented, and cost nothing unused."""

import subprocess
import sys
from pathlib import Path

import pytest

import calm

README = Path(__file__).parents[2] / "calm" / "README.md"
OFFERED = {
    "Task", "Subgoal", "Transition", "Judgement", "Verdict", "Judge", "make_judge", "Annotator",
    "Credit", "Store", "JudgedCredit", "CalmError", "UsageError", "BudgetError", "PartialError",
    "EndpointError", "StoreError", "GameError",
}  # fmt: skip


def test_what_is_offered_is_what_is_promised_there_and_documented() -> None:
    assert set(calm.__all__) == OFFERED == set(calm._HOMES)
    assert set(dir(calm)) >= OFFERED
    text = README.read_text("utf-8")
    for name in calm.__all__:
        value = getattr(calm, name)
        assert value.__name__ == name
        assert value.__doc__, name
        assert f"`{name}`" in text, f"{name} is missing in {README}"
    with pytest.raises(AttributeError, match="no attribute 'Jugde'"):
        calm.Jugde  # noqa: B018


def test_nothing_is_loaded_before_it_is_used() -> None:
    code = """
import sys, calm
few = {"calm", "calm.lazy_names", "calm.version"}
assert {m for m in sys.modules if m.startswith("calm")} == few
from calm import Task, UsageError
assert not {"openai", "sqlite3", "numpy", "gymnasium"} & set(sys.modules), "records and errors"
from calm.store import Store
assert Store is calm.Store
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
