"""The whole chain once: MiniHack steps, a model on loopback, the store, shaped reward, PPO."""

from pathlib import Path

import pytest
import torch

from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.loopback import Loopback
from calm.store.store import Store
from calm.subgoals import read_subgoals, write_subgoals
from envs.events.judge_rules import RULES
from envs.tasks import task

KEYROOM = task("KeyRoom-S5")
CONFIG = {
    "task": KEYROOM.id,
    "judge": "openai:any-model",
    "steps": 1024,  # 256 for each environment: every one ends an episode of at most 200
    "n_envs": 4,
    "n_steps": 64,
    "eval_every": 1024,
    "eval_episodes": 2,
    "features_dim": 16,
    "weight": 0.5,
}


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_from_the_game_to_an_updated_policy_and_back_for_nothing(tmp_path: Path) -> None:
    subgoals = tmp_path / "subgoals.yaml"
    write_subgoals(subgoals, KEYROOM.id, KEYROOM.subgoals)
    assert read_subgoals(subgoals) == KEYROOM.subgoals
    config = TrainConfig(**CONFIG, subgoals=str(subgoals))
    runs = [Run.create(tmp_path / name, config) for name in ("first", "second")]
    with Loopback(rules=RULES) as server:
        with Store(tmp_path / "store.sqlite") as store:
            rows = train(runs[0], store=store, base_url=server.url)
            asked_once = server.requests
            train(runs[1], store=store, base_url=server.url)
        last = rows[-1]
        # Every distinct event was one request; none was sent twice, by another run neither.
        assert last["asked"] == asked_once == server.requests
        assert set(server.answered.values()) == {1}
        assert 10 < asked_once < 512
        assert last["unreadable"] == 0
        assert last["requests"] == asked_once
        assert last["prompt_tokens"] > 100 * asked_once
        assert last["cost"] is None  # nobody knows this model's price, which is not zero
    assert last["return_credit"] > 0
    assert last["return_shaped"] == pytest.approx(
        last["return_env"] + 0.5 * last["return_credit"], abs=1e-4
    )
    first, second = (run.load_checkpoint() for run in runs)
    assert first["updates"] == 4 * config.n_epochs
    assert all(torch.equal(first["policy"][k], second["policy"][k]) for k in first["policy"])


def test_a_model_that_answers_prose_pays_nothing_and_is_counted(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**CONFIG))
    with Loopback(answer=lambda body: "I think so.") as server, Store() as store:
        last = train(run, store=store, base_url=server.url)[-1]
    assert last["unreadable"] == last["asked"] > 0
    assert last["return_credit"] == 0.0
