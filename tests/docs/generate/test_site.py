"""The site builds with nothing to warn of, and asks nobody else for anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_site_builds_strictly_and_is_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "index.html").read_text("utf-8")
    assert '<div class="transition">' in page
    assert not re.search(r'<(?:script|link rel="stylesheet")[^>]+//', page)
    assert (tmp_path / "files" / "agents" / "results" / "keyroom" / "success.svg").is_file()
    assert "Usage: calm train" in (tmp_path / "reference" / "commands.html").read_text("utf-8")
