"""Episodes as a Minari dataset, read back by Minari itself."""

from pathlib import Path

import numpy as np
import pytest

from agents.sharing.episodes import episodes_of_rows
from agents.sharing.minari_dataset import dataset_id, write_minari
from calm.errors import UsageError
from tests.agents.sharing.test_episodes import TASK, rows

minari = pytest.importorskip("minari")


@pytest.mark.parametrize(
    ("task", "name", "id"),
    [
        ("MiniHack-KeyRoom-S5-v0", "Played again", "calm/keyroom-s5/played-again-v0"),
        ("Kitchen", "soup-v3", "calm/kitchen/soup-v3"),
        ("T-v0", "", "calm/t/episodes-v0"),
    ],
)
def test_ids_are_those_of_minari(task: str, name: str, id: str) -> None:
    assert dataset_id(task, name) == id


def test_minari_reads_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = episodes_of_rows([*rows("a", 3), *rows("b", 2, truncated=True)], {"T-v0": TASK}, "s")
    about = write_minari(task, tmp_path, "play", "a test")
    assert (about["id"], about["episodes"], about["steps"]) == ("calm/t/play-v0", 2, 5)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    dataset = minari.load_dataset("calm/t/play-v0")
    assert list(minari.list_local_datasets()) == ["calm/t/play-v0"]
    assert (dataset.total_episodes, dataset.total_steps) == (2, 5)
    assert dataset.action_space.n == 2
    for ours, theirs in zip(task.episodes, dataset.iterate_episodes(), strict=True):
        for key, array in ours.observations.items():
            assert np.array_equal(theirs.observations[key], array)
            assert dataset.observation_space[key].contains(theirs.observations[key][0])
        assert np.array_equal(theirs.actions, ours.actions)
        assert theirs.rewards.tolist() == ours.rewards.tolist()
        last = [*[False] * (len(ours.actions) - 1), True]
        assert theirs.terminations.tolist() == [e and ours.terminated for e in last]
        assert theirs.truncations.tolist() == [e and not ours.terminated for e in last]
        assert theirs.infos["events"].tolist() == ours.infos["events"]
        assert np.array_equal(theirs.infos["achieved"], ours.infos["achieved"])
    metadata = dataset.storage.metadata
    assert metadata["subgoals"] == ["go"]
    assert metadata["actions"] == ["north", "look"]
    assert metadata["not_exported"] == list(task.left_out)
    options = [m["options"] for m in dataset.storage.get_episode_metadata([0, 1])]
    assert options == [{"level_seed": 5, "player": "p"}] * 2
    card = (tmp_path / "calm/t/play-v0/README.md").read_text()
    assert "| go | 2 | 5 | 40.00% |" in card
    assert "2 episodes, 5 steps, mean return 0.985" in card
    with pytest.raises(UsageError, match="name another dataset with --name"):
        write_minari(task, tmp_path, "play", "a test")
