"""What pays credit is built from a judge's spec and the run's settings."""

import pytest

from agents.training.credit_source import Asking, make_credit_source
from agents.training.settings.config import make_config
from calm.annotation.live import Annotator
from calm.errors import UsageError
from calm.loopback import Loopback
from calm.records import Subgoal, Task, Verdict
from calm.store.store import Store

TAKE = Subgoal("take the key", "The key is carried after the step.")
TASK = Task("Room-v0", "Find the stairs.", (TAKE,))


def test_training_asks_again_for_the_classes_that_its_settings_name() -> None:
    again = make_config({"task": "KeyRoom-S5", "ask_again": ["invalid"]}).ask_again
    with Loopback({TAKE.name: ("taken",)}, script=["prose"]) as server, Store() as store:
        tables = []
        for classes in ((), (), again, again, ()):
            source = make_credit_source(
                "openai:m", TASK, [TAKE], store, server.url, asking=Asking(ask_again=classes)
            )
            assert isinstance(source, Annotator)
            tables.append(source.judge_texts(["The key is taken."]).tolist())
        assert tables == [[[-1]], [[-1]], [[1]], [[1]], [[1]]]
        assert server.requests == 2


def test_a_judge_that_is_no_model_can_not_be_asked_again() -> None:
    with pytest.raises(UsageError, match="needs a model"):
        make_credit_source("rules", TASK, [TAKE], asking=Asking(ask_again=(Verdict.INVALID,)))
