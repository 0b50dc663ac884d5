"""`calm demo` ends by naming commands that can be typed as they stand."""

import shlex
from pathlib import Path

from agents.cli.demo import next_commands
from tests.support.command_line import calm


def test_the_next_commands_are_commands() -> None:
    lines = next_commands("openai:org/my model", Path("runs/my demo"))
    assert len(lines) == 3
    for line in lines:
        words = shlex.split(line)
        assert Path(words[0]).name == "calm"
        assert "Usage" in calm(*words[1:], "--help")
    assert "'runs/my demo/agents/shaped-by-openai-org-my-model'" in lines[0]
