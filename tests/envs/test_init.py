"""The public face of `envs`."""

import inspect
import re

import envs


def test_all_is_what_is_exported_and_documented() -> None:
    told = re.findall(r"^ *([A-Za-z_]+(?:, [A-Za-z_]+)*)   ", envs.__doc__ or "", re.MULTILINE)
    assert {name for line in told for name in line.split(", ")} == set(envs.__all__)
    exported = {
        name
        for name, value in vars(envs).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert exported == set(envs.__all__)
    assert all(value.__doc__ for name in envs.__all__ if callable(value := getattr(envs, name)))
