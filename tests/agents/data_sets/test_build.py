"""The labelled sets: chosen as their cards say, from seeds alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.data_sets.build import PAPER, Part, Picker, build, episodes, steps
from calm.cli.main import build as calm_app
from calm.errors import CalmError, UsageError
from calm.records import LabelledTransition, Transition
from data.dataset import load, shipped
from envs.collect import play
from tests.support.command_line import calm


def row(episode: int, step: int, kind: str = "", text: str = "") -> LabelledTransition:
    return LabelledTransition(
        Transition("t", {"events": text or f"{episode} {step}"}, "a", f"e{episode}", step),
        {"key": kind == "key", "door": kind == "door"},
    )


def rows() -> Iterator[LabelledTransition]:
    for e in range(9):
        for s in range(5):
            yield row(e, s, ("", "key", "key", "", "door")[s])


def test_episodes_begin_at_step_0() -> None:
    assert [len(e) for e in episodes(rows())] == [5] * 9


def test_one_an_episode_takes_each_once() -> None:
    picked = Picker(0).one_an_episode(rows(), lambda r: r.truth["key"], 7)
    assert [r.transition.episode for r in picked] == [f"e{i}" for i in range(7)]
    assert {r.transition.step for r in picked} == {1, 2}
    assert picked == Picker(0).one_an_episode(rows(), lambda r: r.truth["key"], 7)
    with pytest.raises(CalmError, match="only 9 of 10 rows"):
        Picker(0).one_an_episode(rows(), lambda r: r.truth["key"], 10)


def test_no_content_is_taken_twice() -> None:
    picker = Picker(0)
    same = [row(e, s, text="same") for e in range(3) for s in range(4)]
    assert len(picker.first_of_each(rows(), ["key"], 3)) == 3
    with pytest.raises(CalmError, match="only 1 of 2"):
        picker.sample(iter(same), 4, 2)
    again = picker.first_of_each(rows(), ["key"], 99)
    assert len(again) == 18 - 3


def test_nothing_is_drawn_from_what_achieved_nothing() -> None:
    picker = Picker(0)
    picked_rows = picker.idle(rows(), 6) + picker.idle(rows(), 6)
    assert {r.transition.step for r in picked_rows} == {0, 3}
    assert len({r.transition.id for r in picked_rows}) == 12


def test_samples_are_spread_over_episodes_and_in_order() -> None:
    picked_rows = Picker(3).sample(rows(), 2, 12)
    assert len(picked_rows) == 12
    by_episode: dict[str, list[int]] = {}
    for r in picked_rows:
        by_episode.setdefault(r.transition.episode, []).append(r.transition.step)
    assert all(len(s) == 2 and s == sorted(s) for s in by_episode.values())


def test_rows_hold_what_was_played() -> None:
    picked_rows = [
        r for r, _ in zip(steps("MiniHack-KeyRoom-S5-v0", "scripted", 5), range(4), strict=False)
    ]
    episode_steps = list(play("KeyRoom-S5", "scripted", episodes=1, seed=5))[:4]
    assert [r.transition for r in picked_rows] == [r.transition for r in episode_steps]
    assert [r.truth for r in picked_rows] == [r.truth for r in episode_steps]
    assert picked_rows[0].provenance.keys() == episode_steps[0].provenance.keys() - {"reward"}
    assert set(picked_rows[0].transition.texts) == {"screen", "crop", "events"}
    assert picked_rows[0].before is not None
    assert set(PAPER) <= set(picked_rows[0].truth)


def test_a_set_is_built_once_and_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.data_sets import build as build_data

    def small() -> dict[str, Part]:
        task = play("KeyRoom-S5", "scripted", episodes=1, seed=5)
        subset = list(task)
        tasks = {"MiniHack-KeyRoom-S5-v0": build_data.find_task("KeyRoom-S5")}
        return {"natural": Part(subset, tasks)}

    monkeypatch.setattr(build_data, "SETS", {"small-v1": small})
    folder = tmp_path / "small-v1"
    build("small-v1", folder)
    assert len(load(folder).parts["natural"].rows) > 3
    with pytest.raises(UsageError, match="never changes in place"):
        build("small-v1", folder)
    with pytest.raises(UsageError, match="unknown data set 'smal-v1'"):
        build("smal-v1", tmp_path / "other")
    output = calm("data", "build", "small-v1", "--out", folder, "--check")
    assert output == "small-v1: identical, byte for byte\n"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["made_by"] == "calm data build small-v1"
    manifest["parts"]["natural"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    done = CliRunner().invoke(
        calm_app(), ["data", "build", "small-v1", "--out", str(folder), "--check"]
    )
    assert (done.exit_code, done.output) == (1, "small-v1: DIFFERS in natural\n")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", shipped())
def test_shipped_sets_are_rebuilt_byte_for_byte(name: str) -> None:
    assert "identical" in calm("data", "build", name, "--check")
