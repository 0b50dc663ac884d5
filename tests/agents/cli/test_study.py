"""`calm study` as a shell sees it: which cells its options mean, and bad input."""

import re
from pathlib import Path

import pytest

from agents.cli.study import CellOptions
from agents.study.order import Order
from agents.study.plans.load import FOLDER
from calm.errors import UsageError
from tests.support.command_line import calm


def test_options_name_a_part_of_a_study() -> None:
    cells = CellOptions(task=["KeyRoom-S5,Room-5x5"], arm=["a", "b"], steps=7, setting=["n_envs=2"])
    assert cells.order(train=False, replace=True, retries=2, shared=True) == Order(
        tasks=["KeyRoom-S5", "Room-5x5"],
        arms=["a", "b"],
        overrides={"n_envs": 2, "steps": 7},
        retries=2,
        shared=True,
        train=False,
        replace=True,
    )


@pytest.mark.parametrize("pair", ["task=KeyRoom-S5", "seed=3"])
def test_what_tells_cells_apart_is_not_set_for_all(pair: str) -> None:
    with pytest.raises(UsageError, match="by --tasks, seeds by --seeds and --first-seed"):
        CellOptions(setting=[pair]).order(train=True, replace=False, retries=0, shared=False)


def test_help_names_every_study() -> None:
    named = set(re.findall(r"[\w-]+", calm("study", "--help")))
    assert {plan.stem for plan in FOLDER.glob("*.yaml")} <= named


def test_a_study_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="unknown study 'keyrom': did you mean 'keyroom'"):
        calm("study", "keyrom")
    with pytest.raises(UsageError, match="unknown arm of the study keyroom 'none'"):
        calm("study", "keyroom", "--arms", "none", "--no-train")
    with pytest.raises(UsageError, match=r"name a study, .* the studies are encoders, forms,"):
        calm("study", "--seeds", "1")
    with pytest.raises(UsageError, match=r"no file mine\.yaml"):
        calm("study", "--plan", "mine.yaml")
    assert not list(tmp_path.glob("*.html"))
