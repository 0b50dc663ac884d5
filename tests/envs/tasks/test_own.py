"""Tasks of one's own: played by the environment that their file names, and told what is wrong."""

from pathlib import Path

import pytest

import envs
from calm.errors import UsageError
from calm.tasks import find_task
from envs.collect import play
from envs.events.stream import EventStream
from envs.tasks import OwnTask, environment_of, task
from envs.truth.make import with_truth
from tests.support.own_task import LEVEL, write_own_task

EXAMPLES = Path(envs.__file__).parents[1] / "docs" / "examples"
CELLAR = "id: C\ngoal: Eat.\ndes_file: cellar.des\n"


def test_a_level_of_ones_own(tmp_path: Path) -> None:
    path = write_own_task(tmp_path)
    cellar = task(str(path))
    assert isinstance(cellar, OwnTask)
    assert find_task(str(path)) == cellar  # a judge is told the same
    assert cellar.actions == ("move north", "move east", "move south", "move west", "pick up")
    environment, options = environment_of(cellar)
    assert environment == "MiniHack-Navigation-Custom-v0"
    assert options["des_file"] == LEVEL
    assert [s.name for s in with_truth(cellar)] == ["pick up an object"]


def test_the_example_of_the_docs_is_that_task(tmp_path: Path) -> None:
    assert (EXAMPLES / "cellar.des").read_text("utf-8") == LEVEL
    assert task(str(EXAMPLES / "cellar.yaml")) == task(str(write_own_task(tmp_path)))


def test_its_truth_is_told_where_there_is_one(tmp_path: Path) -> None:
    path = str(write_own_task(tmp_path))

    class Walker:
        name = "walker"

        def begin(self, rng: object) -> None:
            self.way = iter([1, 1, 1, 1, 2, 4])

        def act(self, arrays: object) -> int:
            return next(self.way, 0)

    steps = [p for p, _ in zip(play(path, Walker()), range(6), strict=False)]
    assert {p.transition.task for p in steps} == {"Cellar-v0"}
    assert {frozenset(p.truth) for p in steps} == {frozenset({"pick up an object"})}
    assert "apple" in steps[4].transition.texts["events"]
    with envs.make(path, judge="truth", subgoals=with_truth(task(path)), workers=0) as env:
        env.reset()
        credits = [env.step(action)[-1]["credit"] for action in (1, 1, 1, 1, 2, 4)]
    # Navigation picks up what the hero walks onto.
    assert [p.truth["pick up an object"] for p in steps] == [c == 1 for c in credits]
    assert sum(credits) == 1
    with pytest.raises(UsageError, match="'step onto the apple'"):
        envs.make(path, judge="truth", workers=0)


def test_a_registered_environment_under_words_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("goal: Say a prayer.\nenvironment: MiniHack-Pray-v0\n")
    mine = task(str(tmp_path / "t.yaml"))
    assert (mine.id, mine.goal) == ("MiniHack-Pray-v0", "Say a prayer.")
    assert len(mine.actions) == 85
    assert "pray" in mine.actions


def test_the_events_of_a_batch_name_the_actions_of_the_engine(tmp_path: Path) -> None:
    vec = envs.make_vec(str(write_own_task(tmp_path)), 2, keys=EventStream.keys, workers=0)
    stream = EventStream("Cellar-v0", vec.batch)
    vec.batch.observers.append(stream)
    vec.reset()
    vec.step([4, 4])
    assert stream.texts[0].startswith("Action: pick up.")
    vec.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id: a\ngoal: b\nenvironment: MiniHack-Eet-v0\n", "environment: .*'MiniHack-Eat-v0'"),
        ("id: a\ngoal: b\nenvironment: CartPole-v1\n", "environment: unknown MiniHack id"),
        ("id: a\ngoal: b\nenvironment: MiniHack-Skill-Custom-v0\n", "environment: .*des_file"),
        ("id: a\ngoal: b\ndes_file: nowhere.des\n", "des_file: .*no 'nowhere.des'"),
        ("id: a\ngoal: b\ndes_file: 'MAZE: x'\n", "des_file: .*line 1, pos 6: syntax error"),
        (CELLAR + "actions: [move nort]\n", "actions.0: .*did you mean 'move north'"),
        ("id: a\ngoal: b\n", "nothing plays it; name an environment or a des_file"),
    ],
)
def test_what_cant_be_played_says_why_and_where(
    content: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_own_task(tmp_path, content)
    with pytest.raises(UsageError, match=f"cellar.yaml: {words}"):
        task(str(path))
    assert capfd.readouterr() == ("", "")
