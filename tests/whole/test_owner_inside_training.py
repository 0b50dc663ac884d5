"""An agent that is paid by a judge behind an owner of questions is the one of a judge that asks."""

from pathlib import Path

import pytest

from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.loopback import Loopback
from calm.store.store import Store
from envs.events.judge_rules import RULES
from tests.support.questions_owner import owner_of
from tests.support.states import same

CONFIG = TrainConfig(
    task="KeyRoom-S5",
    judge="openai:any-model",
    steps=1024,
    n_envs=4,
    n_steps=64,
    eval_every=512,
    eval_episodes=2,
    features_dim=16,
)
TIMES = ("seconds", "cpu_seconds", "eval_seconds")
CLOCKS = ("training_seconds", "training_cpu_seconds", "eval_seconds")


def test_rows_and_checkpoints_are_the_same_but_for_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    alone, owned = (Run.create(tmp_path / name, CONFIG) for name in ("alone", "owned"))
    with Loopback(rules=RULES) as server:
        with Store(tmp_path / "alone.sqlite") as store:
            expected = train(alone, store=store, base_url=server.url)
        requests = server.requests
        with owner_of(server, tmp_path / "owners.sqlite", monkeypatch), Store() as store:
            rows = train(owned, store=store)
            assert store.database.value("SELECT count(*) FROM answers") == 0
        assert server.requests == 2 * requests > 20
        assert set(server.answered.values()) == {2}
    untimed = [
        [{k: v for k, v in row.items() if k not in TIMES} for row in r] for r in (expected, rows)
    ]
    assert untimed[0] == untimed[1]
    assert alone.judged() == owned.judged()
    states = [
        {k: v for k, v in run.load_checkpoint().items() if k not in CLOCKS}
        for run in (alone, owned)
    ]
    for state in states:
        del state["judge"]["usage"]["seconds"]
    assert same(*states)
