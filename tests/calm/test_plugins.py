"""What packages add to calm: calm's own first, then the others by name."""

import importlib.metadata as metadata
from importlib.metadata import EntryPoint

import pytest

import calm.plugins
from calm.plugins import entry_points_of


def test_calms_own_come_first_and_the_others_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [EntryPoint(name, f"{name}:x", "calm.commands") for name in ("z", "calm", "a")]
    monkeypatch.setattr(calm.plugins, "entry_points", lambda group: entries)
    assert [entry.name for entry in entry_points_of("calm.commands")] == ["calm", "a", "z"]


def test_a_clone_that_is_not_installed_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calm.plugins, "entry_points", lambda group: metadata.EntryPoints())
    names = [entry.name for entry in entry_points_of("calm.commands")]
    assert names == ["calm", "agents", "data", "envs"]
    assert entry_points_of("calm.of_no_group") == []
