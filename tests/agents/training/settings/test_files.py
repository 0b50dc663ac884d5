"""Settings in files and options: read back as written, and what can't be read is named."""

from pathlib import Path
from typing import Any

import pytest

from agents.training.settings.config import TrainConfig
from agents.training.settings.files import load_config, read_settings
from calm.errors import UsageError


def test_a_saved_config_reads_back_the_same(tmp_path: Path) -> None:
    config = TrainConfig(task="KeyRoom-S5", judge="none", seed=7, keys=("glyphs_crop", "blstats"))
    assert config.task == "MiniHack-KeyRoom-S5-v0"
    config.save(tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config


def test_options_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("task: KeyRoom-S5\nsteps: 5\nseed: 3\n")
    config = load_config(tmp_path / "c.yaml", {"steps": 7})
    assert (config.steps, config.seed) == (7, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "can't read the config in .*line 1"),
        ("- 1", "must hold fields and values"),
        ("{}: 1", "can't read the config"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't read the config in .*none\.yaml: No such file"):
        load_config(tmp_path / "none.yaml")


def test_settings_are_values_of_yaml() -> None:
    read: dict[str, Any] = read_settings(["gamma=0.98", "keys=[glyphs_crop]", "task=a=b", "steps="])
    assert read == {"gamma": 0.98, "keys": ["glyphs_crop"], "task": "a=b", "steps": None}


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("gamma", "takes FIELD=VALUE, got 'gamma'"),
        ("=1", "takes FIELD=VALUE, got '=1'"),
        ("keys=[", "is not a value"),
    ],
)
def test_a_broken_setting_is_named(pair: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_settings([pair])
