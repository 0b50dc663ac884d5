"""`calm bench train` prints what the bench returns, as a table or as JSON."""

import json
from typing import Any

import pytest

from agents.bench import train_encoders, train_judged, training
from calm.errors import UsageError
from tests.support.command_line import calm

RESULT: dict[str, Any] = {
    "bench": "train",
    "machine": {"cpu": "a processor", "cores": 2},
    "rows": [{"name": "small: ours", "value": 7.0, "unit": "steps/s", "min": 5.0, "max": 9.0}],
    "ratios": {"sb3_small": 4.5},
    "missing": ["PufferLib, serial: not installed"],
    "stopped": False,
}


def test_what_is_measured_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(training, "run", lambda quick, _say: calls.append(quick) or RESULT)
    assert json.loads(calm("bench", "train", "--quick", "--json")) == RESULT
    table = calm("bench", "train")
    assert "small: ours" in table
    assert "sb3_small" in table
    assert calls == [True, False]


def test_encoders_are_measured_by_the_maps_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(train_encoders, "run", lambda *call: calls.append(call[:3]) or RESULT)
    assert json.loads(calm("bench", "train", "--encoder", "agent", "--json")) == RESULT
    calm("bench", "train", "--encoder", "all", "--map", "level", "--quick")
    assert calls == [(["agent"], ["crop", "level"], False), ([], ["level"], True)]
    with pytest.raises(UsageError, match="name some with --encoder"):
        calm("bench", "train", "--map", "crop")
    with pytest.raises(UsageError, match="name some with --encoder"):
        calm("bench", "train", "--compile")


def test_agents_may_have_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    for bench in (train_encoders, train_judged):
        monkeypatch.setattr(bench, "run", lambda *_, **more: calls.append(more) or RESULT)
    calm("bench", "train", "--encoder", "agent", "--set", "crop=15", "--set", "keys=[message]")
    calm("bench", "train", "--judged", "--set", "gamma=0.9")
    assert calls == [{"crop": 15, "keys": ["message"]}, {"gamma": 0.9}]
    with pytest.raises(UsageError, match="with --encoder or --judged"):
        calm("bench", "train", "--memory", "--set", "crop=15")


def test_shaped_agents_are_measured_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_judged, "run", lambda quick, _say: RESULT | {"quick": quick})
    assert json.loads(calm("bench", "train", "--judged", "--quick", "--json"))["quick"] is True
    for other in (["--memory"], ["--encoder", "all"]):
        with pytest.raises(UsageError, match="measure different things"):
            calm("bench", "train", "--judged", *other)
