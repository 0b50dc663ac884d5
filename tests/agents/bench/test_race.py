"""Who is there first, ours or stable-baselines3's PPO, and by how much."""

from collections.abc import Iterator

import pytest
import torch

from agents.bench import race
from agents.bench.race import Finish, report, run, unaugmented
from agents.training.settings.config import TrainConfig
from calm.errors import UsageError

SMALL = {
    "n_envs": 2,
    "n_steps": 8,
    "crop": 5,
    "features_dim": 16,
    "minibatches": 2,
    "n_epochs": 1,
    "eval_every": 32,
}


@pytest.fixture(autouse=True)
def small_and_tidy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Evaluates on ten levels; holds that torch has its threads back afterwards."""
    monkeypatch.setattr(race, "EPISODES", 10)
    monkeypatch.setattr(race, "AT_ONCE", 10)
    before = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == before


def test_the_ratio_is_of_their_seconds_to_ours() -> None:
    ours = [Finish(10.0, 100, 0.9), Finish(20.0, 200, 0.95), Finish(10.0, 100, 1.0)]
    theirs = [Finish(70.0, 900, 0.9), Finish(60.0, 800, 0.91), Finish(20.0, 300, 0.9)]
    result = report({"ours": ours, "SB3": theirs}, 0.9)
    assert result["ratios"] == {"race": 3.0}  # the median of 7, 3 and 2
    assert result["left_out"] == []
    rows = {row["name"]: row["value"] for row in result["rows"]}
    assert rows == {
        "ours, training": 10.0,
        "ours, environment steps": 100.0,
        "SB3, training": 60.0,
        "SB3, environment steps": 800.0,
    }


def test_ours_unturned_has_a_ratio_of_its_own() -> None:
    ours, unturned, theirs = Finish(40.0, 400, 0.9), Finish(20.0, 600, 0.9), Finish(60.0, 600, 0.9)
    result = report({"ours": [ours], "ours, unturned": [unturned], "SB3": [theirs]}, 0.9)
    assert result["ratios"] == {"race": 1.5, "unturned": 3.0}
    late = Finish(60.0, 600, 0.8)
    result = report({"ours": [late], "ours, unturned": [unturned], "SB3": [late]}, 0.9)
    assert result["ratios"] == {"unturned_at_least": 3.0}


def test_ours_unturned_runs_where_ours_is_turned() -> None:
    lines: list[str] = []
    turned = SMALL | {"augment": "dihedral", "n_epochs": 8}
    run("KeyRoom-S5", 1, 0.9, 16, lines.append, **turned)
    assert [line.split(":")[0] for line in lines] == [
        "ours, seed 0",
        "ours, unturned, seed 0",
        "SB3, seed 0",
    ]


def test_who_did_not_get_there_is_told() -> None:
    there, late = Finish(10.0, 100, 0.9), Finish(50.0, 999, 0.4)
    result = report({"ours": [there], "SB3": [late]}, 0.9)
    assert result["ratios"] == {"race_at_least": 5.0}
    assert result["left_out"] == ["SB3, seed 0: at 40% of 90% when it was stopped"]
    assert report({"ours": [late], "SB3": [there]}, 0.9)["ratios"] == {}


def test_training_ends_with_the_evaluation_that_comes_to_the_goal() -> None:
    """In a room of 5 x 5 a fresh policy finishes one level in ten."""
    lines: list[str] = []
    result = run("Room-5x5", 1, 0.01, 999, lines.append, **SMALL)
    rows = {row["name"]: row["value"] for row in result["rows"]}
    assert rows["ours, environment steps"] == rows["SB3, environment steps"] == 32
    assert set(result["ratios"]) == {"race"}
    assert [line.split(" steps")[0] for line in lines] == [
        "ours, seed 0: 32",
        "SB3, seed 0: 32",
    ]


def test_who_is_not_there_is_stopped() -> None:
    result = run("Room-5x5", 1, 1.0, 16, **SMALL)
    rows = {row["name"]: row["value"] for row in result["rows"]}
    assert rows["ours, environment steps"] == rows["SB3, environment steps"] == 16
    assert result["ratios"] == {}
    assert len(result["left_out"]) == 2


def test_their_rollouts_are_not_turned_and_have_no_more_passes_for_it() -> None:
    turned = TrainConfig(task="KeyRoom-S15", augment="dihedral", n_epochs=8)
    theirs = unaugmented(turned)
    assert (theirs.augment, theirs.n_epochs) == ("none", 3)
    plain = TrainConfig(task="KeyRoom-S15", n_epochs=8)
    assert unaugmented(plain) == plain


def test_what_theirs_lacks_is_refused() -> None:
    for more in ({"memory": "lstm"}, {"weight_end": 0.0}, {"ent_coef_end": 0.0}):
        with pytest.raises(UsageError, match="leave out memory=lstm"):
            run("KeyRoom-S5", **more)
