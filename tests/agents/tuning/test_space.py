"""Search spaces: what is read, and what can't be searched is named."""

from pathlib import Path

import pytest

from agents.tuning.space import FOLDER, Interval, read_space
from calm.errors import UsageError


def test_every_packaged_space_can_be_searched() -> None:
    names = [path.stem for path in FOLDER.glob("*.yaml")]
    assert "keyroom-s15" in names
    for name in names:
        assert read_space(name).search


def test_a_space_is_settings_and_what_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "settings: {task: Room-5x5, judge: none}\n"
        "search:\n"
        "  learning_rate: {low: 1.0e-4, high: 1.0e-3, log: true}\n"
        "  n_steps: {low: 8, high: 32}\n"
        "  encoder: [cnn, agent]\n"
    )
    space = read_space(path)
    assert space.name == "mine"
    assert space.search == {
        "learning_rate": Interval(1e-4, 1e-3, log=True),
        "n_steps": Interval(8, 32, whole=True),
        "encoder": ("cnn", "agent"),
    }
    config = space.config({"n_steps": 16, "learning_rate": 3e-4, "encoder": "agent"}, seed=7)
    assert (config.seed, config.n_steps, config.encoder, config.judge) == (7, 16, "agent", "none")


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ("{lr: [1, 2]}", "unknown setting 'lr'"),
        ("{seed: [1, 2]}", "seed says what a trial is and is not searched"),
        ("{gamma: 0.9}", "gamma is a list of values or {low: …, high: …, log: true}, got 0.9"),
        ("{gamma: {low: 0.9}}", "gamma is a list of values or"),
        ("{gamma: {low: 0.99, high: 0.9}}", "low must be less than high"),
        ("{gamma: {low: 0.9, high: .inf}}", "low must be less than high, both finite"),
        ("{gamma: {low: 0.9, high: 0.99, step: 1}}", "unknown key 'step'"),
        ("{learning_rate: {low: 0, high: 1, log: true}}", "low must be above 0"),
        ("{gamma: [0.9]}", "at least two plain values"),
        ("{gamma: [0.9, 1.5]}", "can't be used: gamma: .*less than or equal to 1"),
        ("{judge: [rules, truth]}", "judge is searched, so it can't be a setting that stays"),
        ("{}", "fields and values, at least one"),
    ],
)
def test_what_cannot_be_searched_is_named(tmp_path: Path, search: str, says: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f"settings: {{task: Room-5x5, judge: none}}\nsearch: {search}\n")
    with pytest.raises(UsageError, match=says):
        read_space(path)


def test_a_space_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown search space 'keyroom-s5'.*or name a YAML file"):
        read_space("keyroom-s5")
    (tmp_path / "a.yaml").write_text("search: {}\n")
    with pytest.raises(UsageError, match="must hold `settings` and `search`, and nothing else"):
        read_space(tmp_path / "a.yaml")
