"""Loads the public names of a package when they are first used (PEP 562).

A package that lists its names in a table of homes can be imported without what they need:

    _HOMES = {"Store": "calm.store.store"}

    def __getattr__(name: str) -> Any:
        return load_name(globals(), _HOMES, name)
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # for type checkers alone; `typing` itself takes time to load
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def load_name(package: dict[str, Any], homes: Mapping[str, str], name: str) -> Any:
    """Returns a public name of a package, and keeps it there for the next time.

    Args:
        package: the package's `globals()`.
        homes: by public name, the module that defines it.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in homes:
        raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
    value = getattr(import_module(homes[name]), name)
    package[name] = value
    return value
