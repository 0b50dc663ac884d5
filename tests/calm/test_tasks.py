"""Tasks of one's own: the documented example is one, and what is none says why."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import calm.tasks
from calm.errors import UsageError
from calm.tasks import read_task


def test_the_documented_example_is_a_task(tmp_path: Path) -> None:
    lines = (calm.tasks.__doc__ or "").splitlines()
    example = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ")))
    (tmp_path / "task.yaml").write_text(example)
    task = read_task(tmp_path / "task.yaml")
    assert (task.id, task.goal) == ("Kitchen-v0", "Serve the soup.")
    assert [s.name for s in task.subgoals] == ["take the ladle", "pour the soup"]
    assert task.actions == ("go north", "take", "pour")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "describes no task: fields are needed, at least id and goal"),
        ("- id: a", "describes no task: fields are needed, at least id and goal"),
        ("id: a", "task.yaml: goal: Field required"),
        ("{id: a, goal: g, subgoals: [{name: n, definition: D.}]}", "2 to 32 subgoals is needed"),
        ("id: a\ngoal: g\nactions:\n\t- take", "line 4 .*put spaces in the tab's place"),
        ("{id: a, goal: g, actions: [yes, eat]}", r"actions\.0: text is needed, not True: put it"),
        ("{id: 5, goal: g}", "id: text is needed, not 5: put it between quotes"),
        (
            "id: a\ngoal: g\nsubgoals:\n  - {name: n, definition: He eats, then sleeps.}\n  - {}",
            "it has 'name', 'definition', 'then sleeps.'; text with a comma goes between quotes",
        ),
        ("id: a\nid: b\ngoal: g", "line 2 .*'id' stands twice"),
    ],
)
def test_what_is_no_task_says_why(content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(content)
    with pytest.raises(UsageError, match=reason):
        read_task(tmp_path / "task.yaml")


def test_tasks_and_subgoals_are_read_without_what_asks_a_model() -> None:
    script = """
import sys
import calm.subgoals, calm.tasks
upper = ("openai", "httpx2", "aiohttp", "calm.endpoint", "calm.store", "calm.asking", "calm.judges")
print(*sorted(m for m in sys.modules if m.startswith(upper)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
