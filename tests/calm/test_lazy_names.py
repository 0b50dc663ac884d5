"""Public names that are loaded when they are first used."""

import sys
from typing import Any

import pytest

from calm.lazy_names import load_name


def test_a_name_is_loaded_once_and_stays() -> None:
    package: dict[str, Any] = {"__name__": "shop"}
    sys.modules.pop("this_is_no_module", None)
    homes = {"ceil": "math", "Ghost": "this_is_no_module"}
    ceil = load_name(package, homes, "ceil")
    assert ceil(1.2) == 2
    assert package["ceil"] is ceil
    assert "Ghost" not in package


def test_what_is_not_listed_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'shop' has no attribute 'Floor'"):
        load_name({"__name__": "shop"}, {"floor": "math"}, "Floor")
