"""Reads the settings of a run from YAML files and from `FIELD=VALUE` options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.training.settings.config import TrainConfig, make_config
from calm.errors import UsageError
from calm.yaml_files import load_yaml, read_yaml


def load_config(path: Path, overrides: dict[str, Any] | None = None) -> TrainConfig:
    """Reads a YAML config; `overrides` win over the file.

    Raises:
        UsageError: the file is missing, is not YAML, or names a field that is wrong.
    """
    return make_config(read_config(path) | (overrides or {}), str(path))


def read_config(path: Path) -> dict[str, Any]:
    """Returns the fields and values in a YAML config, unchecked.

    Raises:
        UsageError: the file is missing, or holds anything else.
    """
    values = read_yaml(path, "the config")
    if not isinstance(values, dict):
        raise UsageError(f"{path} must hold fields and values, got {type(values).__name__}")
    return values


def read_settings(pairs: list[str]) -> dict[str, Any]:
    """Returns FIELD=VALUE pairs by field, values read as YAML.

    Raises:
        UsageError: a pair without a sign, or a value that is not YAML.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise UsageError(f"--set takes FIELD=VALUE, got {pair!r}")
        try:
            values[name.strip()] = load_yaml(text)
        except ValueError as error:
            raise UsageError(f"--set {pair!r} is not a value: {error}") from None
    return values
