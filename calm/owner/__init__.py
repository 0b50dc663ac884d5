"""One owner of questions: a process that holds a store, a budget and a pace for many askers.

Whatever asks a model on other machines, or from many processes on this one, connects to it: the
environment variables `CALM_OWNER` and `CALM_OWNER_TOKEN_FILE` name it (see `calm.owned`). A
question is then asked once and paid once in the whole cluster, under one limit, and its answer goes
to all who wait for it.

    models      the models that an owner asks
    questions   which questions are under way, and who waits for them
    service     answers connections
    running     starts an owner in a thread of this process
"""

from __future__ import annotations

from calm.lazy_names import load_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from calm.owner.models import OwnerOptions
    from calm.owner.running import RunningOwner, start_owner

_HOMES = {
    "OwnerOptions": "calm.owner.models",
    "RunningOwner": "calm.owner.running",
    "start_owner": "calm.owner.running",
}

__all__ = ["OwnerOptions", "RunningOwner", "start_owner"]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used; AttributeError where there is none."""
    return load_name(globals(), _HOMES, name)
