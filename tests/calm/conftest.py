"""A task to judge, and no key or endpoint from the outside."""

from collections.abc import Iterator

import pytest

from calm.records import Subgoal, Task, Transition
from calm.store.store import Store
from tests.support.nursery import Nursery

SUBGOALS = (
    Subgoal("pick up the key", "The key enters the inventory."),
    Subgoal("open the door", "A closed door opens."),
)
RULES = {"pick up the key": ("key entered the inventory",), "open the door": ("door is open",)}


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "CALM_PRICES",
        "CALM_OWNER",
        "CALM_OWNER_TOKEN",
        "CALM_OWNER_TOKEN_FILE",
        "CALM_OWNER_WAIT",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def rules() -> dict[str, tuple[str, ...]]:
    return RULES


@pytest.fixture
def task() -> Task:
    return Task("Room-v0", "Find the stairs.", SUBGOALS)


@pytest.fixture
def transitions() -> list[Transition]:
    """Twelve, of seven distinct texts: three take the key, two open the door."""
    texts = [
        "Action: pick up.\nThe key entered the inventory.",
        "Action: apply.\nA closed door is open now.",
        "Action: north.",
        "Action: pick up.\nNothing happened.",
        "Action: south.",
        "Action: pick up.\nThe key entered the inventory. It is heavy.",
        "Action: west.",
    ]
    order = [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 2]
    return [Transition("Room-v0", {"events": texts[i]}, "", step=n) for n, i in enumerate(order)]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()
