"""Plans of one's own: what a file may say, and that all else is refused with the way out."""

import shutil
from pathlib import Path

import pytest

from agents.study.plan import Cell
from agents.study.plans.load import load_plan
from calm.errors import UsageError

ROOT = Path(__file__).parents[4]
JUNK = "agents/study/levels/keyroom-s15-junk.yaml"


def test_what_is_wrong_in_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown study 'keyrom'"):
        load_plan("keyrom")
    path = tmp_path / "mine.yaml"
    arm = "{a: {label: A, reward: r, set: {judge: none}}}"
    path.write_text(f"title: x\ntasks: {{KeyRoom-S5: {{stepz: 3}}}}\narms: {arm}\n")
    with pytest.raises(
        UsageError, match="of KeyRoom-S5/a/seed0 can't be used: unknown setting 'stepz'"
    ):
        load_plan("mine", path)
    path.write_text("title: x\ntitle: y\n")
    with pytest.raises(UsageError, match=r"can't read the study in .*'title' stands twice"):
        load_plan("mine", path)
    path.write_text("title: x\n")
    with pytest.raises(UsageError, match="is no study: it lacks tasks and arms"):
        load_plan("mine", path)
    for text in ("- a\n", "words\n", ""):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"no study|can't read the study"):
            load_plan("mine", path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("figure: {x: [a]}", "unknown part of a study 'figure': did you mean 'figures'"),
        ("figures: {x: a}", r"the figure 'x' is to be a list of names.*not 'a'"),
        ("figures: {x: [[a]]}", "is to be a list of names"),
        ("compare: [[1, 2]]", "each pair of compare is to be a list of names"),
        ("compare: [a]", "each pair of compare is to be a list of names"),
        ("compare: 5", "compare is to be a list, not 5"),
        ("all: []", r"all is to be names with values, as {crop: 15}, not \[\]"),
        ("figures: false", "figures is to be names with values"),
        ("all: {seed: 4}", "all sets seed, which each cell has of its own"),
        ("all: [1]", r"all is to be names with values, as {crop: 15}, not \[1\]"),
        ("figures: [a]", "figures is to be names with values"),
        ("by_seconds: perhaps", "by_seconds is to be true or false, not 'perhaps'"),
    ],
)
def test_a_part_that_is_no_such_part_is_refused(more: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    arm = "{a: {label: A, reward: r, set: {judge: none}}}"
    path.write_text(f"title: x\ntasks: {{KeyRoom-S5: {{}}}}\narms: {arm}\n{more}\n")
    with pytest.raises(UsageError, match=message):
        load_plan("mine", path)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ("{label: [A], reward: r, set: {judge: none}}", r"the label of b is to be some words"),
        ("{label: ' ', reward: r, set: {judge: none}}", r"the label of b is to be some words"),
        ("{label: A, reward: r, set: {judge: none}}", "two arms have the label 'A'"),
        ("{label: B, reward: r, set: {}, not-on: [x]}", "unknown part of the arm b 'not-on'"),
        ("{label: B, reward: r, set: {}, not_on: KeyRoom-S5}", "not_on of b is to be a list"),
        ("{label: B, reward: r, set: {}, not_on: ''}", "not_on of b is to be a list"),
        ("{label: B, reward: r, set: {task: KeyRoom-S15}}", "the arm b sets task"),
        ("{label: B, reward: r, set: [1]}", "set of b is to be names with values"),
        ("B", "the arm b is to have a label, a reward and settings"),
    ],
)
def test_an_arm_that_tables_could_not_show_is_refused(
    arm: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    first = "{label: A, reward: r, set: {judge: none}}"
    path.write_text(f"title: x\ntasks: {{KeyRoom-S5: {{}}}}\narms: {{a: {first}, b: {arm}}}\n")
    with pytest.raises(UsageError, match=message):
        load_plan("mine", path)


@pytest.mark.parametrize(
    ("tasks", "arms", "message"),
    [
        ("[KeyRoom-S5]", "{a: {label: A, reward: r, set: {}}}", "tasks is to be names with values"),
        ("{KeyRoom-S5: 3}", "{a: {label: A, reward: r, set: {}}}", "the task KeyRoom-S5 is to be"),
        ("{k: {task: 7}}", "{a: {label: A, reward: r, set: {}}}", "task is to be an id or a file"),
        ("{KeyRoom-S5: {}}", "[a]", "arms is to be names with values"),
        (
            "{KeyRoom-S5: {}}",
            "{a: {label: A, reward: r, set: {}, not_on: [KeyRoom-S5]}}",
            "has nothing to train: every arm is not_on every task",
        ),
    ],
)
def test_tasks_and_arms_of_another_shape_are_refused(
    tasks: str, arms: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"title: x\ntasks: {tasks}\narms: {arms}\n")
    with pytest.raises(UsageError, match=message):
        load_plan("mine", path)


def test_words_are_read_as_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "x-none: &none {judge: none}\ntitle: |\n  two\n  lines\ntasks: {KeyRoom-S5: {}}\n"
        "arms: {a: {label: 0.5, reward: r, set: *none}}\nfigures: {1: [a]}\n"
    )
    plan = load_plan("mine", path)
    assert (plan.title, plan.arms["a"].label, plan.figures) == ("two lines", "0.5", {"1": ["a"]})


@pytest.mark.parametrize(
    "name", ["../../up", "a/b", ".hidden", '"a\\u001b[2J"', '" "', "7", "x" * 201]
)
def test_a_name_that_is_none_for_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    arm = "{label: A, reward: r, set: {judge: none}}"
    path.write_text(f"title: x\ntasks: {{KeyRoom-S5: {{}}}}\narms:\n  {name}: {arm}\n")
    with pytest.raises(UsageError, match="text that a folder can have"):
        load_plan("mine", path)


def test_an_arm_may_leave_a_task_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = (
        "title: x\ntasks: {KeyRoom-S5: {}, KeyRoom-S15: {}}\narms:\n"
        "  a: {label: A, reward: r, set: {judge: none}, not_on: [KeyRoom-S15]}\n"
        "  b: {label: B, reward: r, set: {judge: rules}}\n"
    )
    path.write_text(text)
    cells = [str(cell) for cell in load_plan("mine", path).cells(1)]
    assert cells == ["KeyRoom-S5/a/seed0", "KeyRoom-S5/b/seed0", "KeyRoom-S15/b/seed0"]
    path.write_text(text.replace("[KeyRoom-S15]", "[KeyRoom-S51]"))
    with pytest.raises(UsageError, match="unknown task of the study mine 'KeyRoom-S51'"):
        load_plan("mine", path)


def test_a_task_of_a_plan_may_be_a_file_beside_it(tmp_path: Path) -> None:
    for name in ("keyroom-s15-junk.yaml", "keyroom-s15-junk.des"):
        shutil.copy((ROOT / JUNK).with_name(name), tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(
        "title: x\ntasks: {Junk: {task: keyroom-s15-junk.yaml, crop: 15}}\n"
        "arms: {a: {label: A, reward: r, set: {judge: rules}}}\n"
    )
    plan = load_plan("mine", path)
    config = plan.config(Cell("Junk", "a", 2), {"task": "KeyRoom-S5"})
    assert (config.task, config.crop, config.seed) == ("KeyRoom-S15-Junk-v0", 15, 2)
    assert config.described.id == config.task
