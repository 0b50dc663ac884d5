"""Which extra brings a module that is not installed."""

import tomllib
from pathlib import Path

from calm.extras import EXTRAS, advice_on_missing

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_extra_of_a_missing_module_is_named() -> None:
    advice = advice_on_missing(ModuleNotFoundError(name="uvicorn.config"))
    assert advice is not None
    assert "needs uvicorn, which is not installed: it comes with the extra `label`" in advice
    assert advice_on_missing(ModuleNotFoundError(name="our_own")) is None
    assert advice_on_missing(ModuleNotFoundError()) is None


def test_the_extras_are_those_of_the_package() -> None:
    declared = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(EXTRAS) <= set(declared)
