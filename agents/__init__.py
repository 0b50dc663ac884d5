"""Agents that see NetHack through attention encoders and learn from reward plus judged credit.

load_agent   a trained agent, of a run, pulled from the hub, or packaged: see `agents/pretrained`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calm.lazy_names import load_name

if TYPE_CHECKING:
    from agents.inspection.agent import Agent, load_agent

_HOMES = {"Agent": "agents.inspection.agent", "load_agent": "agents.inspection.agent"}

__all__ = ["Agent", "load_agent"]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used; AttributeError where there is none."""
    return load_name(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
