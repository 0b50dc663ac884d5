"""The public face of `envs`: what it offers, that it is documented, and costs nothing unused."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import envs

ROOT = Path(__file__).parents[2]

HIDDEN = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("nle", "minihack", "gymnasium"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
from calm.cli.main import main
sys.argv = ["calm", "bench", "env", "--quick"]
main()
"""


def test_all_is_what_is_exported_and_documented() -> None:
    listed = re.findall(r"^ *([A-Za-z_]+(?:, [A-Za-z_]+)*)   ", envs.__doc__ or "", re.MULTILINE)
    assert {name for line in listed for name in line.split(", ")} == set(envs.__all__)
    assert set(envs.__all__) == set(envs._HOMES)
    assert set(dir(envs)) >= set(envs.__all__)
    assert all(value.__doc__ for name in envs.__all__ if callable(value := getattr(envs, name)))
    with pytest.raises(AttributeError, match="no attribute 'mak'"):
        envs.mak  # noqa: B018


def test_no_public_name_is_hidden_by_a_file() -> None:
    """Importing `envs.x` sets `x` in `envs`, in place of what is loaded when it is first used."""
    files = {module.name for module in pkgutil.iter_modules(envs.__path__)}
    assert not files & set(envs.__all__)


def test_without_the_game_its_bench_names_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", HIDDEN], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "which is not installed: it comes with the extra `envs`" in done.stderr
    assert "Traceback" not in done.stderr
