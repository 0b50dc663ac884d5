"""Every piece of Python in a README or in docs/ runs, and every command in one exists.

What a test can't have is replaced: a model's address by a server on loopback. A block that begins
with `py` reads what a command above it wrote; such files have tests of their own.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from calm.loopback import Loopback
from calm.native_build import cache_folder
from docs.generate.commands import command_helps

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    path
    for path in [*sorted(ROOT.rglob("README.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    if not {"runs", "node_modules"} & set(path.parts)
    and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
]
ADDRESS = "http://localhost:8000/v1"


def snippets() -> list[tuple[str, str]]:
    """Every fenced block of Python: its file with its number there, and its text."""
    return [
        (f"{path.relative_to(ROOT)} {i}", text)
        for path in DOCUMENTS
        for i, text in enumerate(
            re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.M | re.S), 1
        )
    ]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in snippets()])
def test_a_snippet_runs(text: str, tmp_path: Path) -> None:
    with Loopback(rules={"pick up the passenger": (r"is in the taxi now",)}) as server:
        (tmp_path / "snippet.py").write_text(text.replace(ADDRESS, server.url), "utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:__main__", "snippet.py"],
            cwd=tmp_path,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(ROOT),
                "HOME": str(tmp_path),
                "XDG_CACHE_HOME": str(cache_folder().parent),  # C that is compiled already
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert ADDRESS not in text or server.requests >= 1


def commands() -> list[str]:
    """Every line that a README gives to a shell and that runs `calm`."""
    lines = []
    for path in DOCUMENTS:
        for block in re.findall(r"^```console\n(.*?)^```", path.read_text("utf-8"), re.M | re.S):
            joined = block.replace("\\\n", " ")
            lines += re.findall(r"^\$ ((?:\.venv/bin/)?calm .*)$", joined, re.M)
    return sorted(set(lines))


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """The help of every command by its whole name."""
    return command_helps()


@pytest.mark.parametrize("line", commands())
def test_a_command_exists_with_its_options(line: str, helps: dict[str, str]) -> None:
    words = shlex.split(line, comments=True)[1:]
    name = "calm"
    for word in words:  # the command, and its group's before it
        name += f" {word}"
        if not helps[name].splitlines()[0].rstrip().endswith("COMMAND [ARGS]..."):
            break
    options = set(re.findall(r"--[a-z][a-z-]*", helps[name]))
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= options


def test_the_readme_names_every_command() -> None:
    """Each command and each group that `calm --help` lists is one in the README's table."""
    text = (ROOT / "README.md").read_text("utf-8")
    table = text.partition("## What there is")[2].partition("\n## ")[0]
    listed = {name.split()[1] for name in command_helps() if " " in name}
    assert len(listed) > 15
    assert sorted(name for name in listed if f"`calm {name}" not in table) == []
