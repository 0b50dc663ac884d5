"""A set as Hugging Face datasets loads it: every column comes back, and the card counts."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from calm.errors import UsageError
from calm.records import LabelledTransition, Screen, Subgoal, Task, Transition
from data.dataset import load
from data.parquet import write_transitions
from data.sharing.datasets_folder import write_datasets_folder

TASK = Task(
    "T-v0",
    "Go | on.",
    (Subgoal("go", "The hero goes.", ("the hero went",)), Subgoal("see", "The hero sees.")),
    ("north", "look"),
    "@ is the hero",
)
ROWS = [
    LabelledTransition(
        Transition("T-v0", {"events": f"Step {i}."}, "north", "e0", i, i == 4),
        {"go": i < 2, "see": i == 3},
        {"level_seed": 7, "player": "scripted", "number": 5, "reward": "-0.01"},
        Screen("@\n.", "a\n0"),
        Screen(".\n@", "0\na"),
    )
    for i in range(5)
]


def played(path: Path) -> Path:
    write_transitions(path, ROWS, {"T-v0": TASK})
    return path


def test_nothing_of_a_set_is_lost(tmp_path: Path) -> None:
    about = write_datasets_folder(played(tmp_path / "play.parquet"), tmp_path / "out", "mit")
    assert about["parts"] == {"": 5}
    rows = pq.read_table(tmp_path / "out" / "transitions" / "train.parquet").to_pylist()
    assert [row["id"] for row in rows] == [row.transition.id for row in ROWS]
    first = rows[0]
    assert (first["achieved"], first["not_achieved"]) == (["go"], ["see"])
    assert (first["screen"], first["events"], first["reward"]) == (None, "Step 0.", -0.01)
    assert (first["level_seed"], first["player"]) == (7, "scripted")
    assert first["provenance"] == [{"name": "number", "value": "5"}]
    assert (first["before_chars"], first["after_colours"]) == ("@\n.", "0\na")
    assert [row["terminated"] for row in rows] == [False] * 4 + [True]
    (task,) = pq.read_table(tmp_path / "out" / "tasks" / "tasks.parquet").to_pylist()
    assert (task["goal"], task["actions"], task["legend"]) == (
        TASK.goal,
        ["north", "look"],
        TASK.legend,
    )
    assert task["subgoals"][0]["statements"] == ["the hero went"]
    assert [s["times"] for s in task["subgoals"]] == [1, 1]


def test_the_card_tells_licence_counts_and_rates(tmp_path: Path) -> None:
    write_datasets_folder(played(tmp_path / "play.parquet"), tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == "unknown"
    assert [c["config_name"] for c in header["configs"]] == ["transitions", "tasks"]
    assert "| all | 5 | 1 | 1 | scripted 5 |" in text
    assert "| all | T-v0 | go | 2 | 5 | 40.00 % |" in text
    assert "Whether they are those of play depends" in text


def test_a_packaged_set_brings_its_card_and_its_licence(tmp_path: Path) -> None:
    about = write_datasets_folder("keyroom-v1", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert about == {
        "folder": str(tmp_path / "out"),
        "parts": {"balanced": 256, "natural": 2100},
        "tasks": 2,
        "licence": "apache-2.0",
    }
    assert "## Who played" in text
    assert "made by `calm data build keyroom-v1`" in text
    assert "In `natural` the shares are those of play" in text


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is there already"):
        write_datasets_folder("keyroom-v1", tmp_path)
    with pytest.raises(UsageError, match="data set, folder or file"):
        write_datasets_folder("keyroom-v9", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_real_library_loads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    folder = str(tmp_path / "out")
    write_datasets_folder("keyroom-v1", Path(folder))
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(folder, cache_dir=cache)
    assert {name: len(split) for name, split in loaded.items()} == {
        "balanced": 256,
        "natural": 2100,
    }
    part = load("keyroom-v1").part("natural")
    for ours, theirs in zip(part.rows, loaded["natural"], strict=True):
        truth = dict.fromkeys(theirs["achieved"], True) | dict.fromkeys(
            theirs["not_achieved"], False
        )
        assert truth == ours.truth
        assert {m: theirs[m] for m in ours.transition.texts} == ours.transition.texts
        assert (theirs["episode"], theirs["step"]) == (
            ours.transition.episode,
            ours.transition.step,
        )
        assert ours.after is not None
        assert theirs["after_chars"] == ours.after.chars
    tasks = datasets.load_dataset(folder, "tasks", split="train", cache_dir=cache)
    assert {task["id"]: task["goal"] for task in tasks} == {
        t.id: t.goal for t in part.tasks.values()
    }
