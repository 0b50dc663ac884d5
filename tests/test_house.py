"""What the house promises: the wheel holds calm alone, and calm needs neither game nor torch."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("calm", "envs", "data", "agents")

IMPORT_ALL = """
import importlib, pkgutil, sys
import calm
names = [m.name for m in pkgutil.walk_packages(calm.__path__, "calm.")]
for name in names:
    if name not in ("calm.__main__", "calm.gym"):  # calm.gym is the one file that wants gymnasium
        importlib.import_module(name)
heavy = {"nle", "minihack", "torch", "stable_baselines3", "gymnasium", "pyarrow"} & set(sys.modules)
assert not heavy, heavy
print(len(names))
"""

BLOCK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def test_calm_imports_without_the_game_and_without_torch() -> None:
    absent = {"nle", "minihack", "torch", "stable_baselines3", "gymnasium", "pyarrow", "envs"}
    code = BLOCK.format(names=absent) + IMPORT_ALL
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: the build leaves folders, and two workers may build at once."""
    out, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, source / layer, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(out)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_calm_alone_and_its_prompts(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"calm"}
    for template in (ROOT / "calm" / "asking" / "prompts").glob("*.j2"):
        assert f"calm/asking/prompts/{template.name}" in names


@pytest.mark.slow
def test_the_wheel_alone_works_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    """A fresh venv with the wheel and its own dependencies only: no game, no torch."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    done = subprocess.run(
        [python, "-c", IMPORT_ALL], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = subprocess.run(
        [python, "-m", "calm", "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert "Not available here" in said.stdout


def test_torch_is_pinned_where_the_checks_run() -> None:
    assert (ROOT / "constraints.txt").read_text().splitlines()[-1] == "torch==2.13.0"


def test_no_top_level_folder_without_a_reason() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for folder in {line.split("/")[0] for line in listed.stdout.splitlines() if "/" in line}:
        assert f"`{folder}/`" in told, folder


DOCUMENTS = ("README.md", "CONTRIBUTING.md", *(f"{layer}/README.md" for layer in LAYERS))
NO_FILE = {"utils.py"}  # named to say that there is none
FILE_OR_FOLDER = re.compile(r"`([\w./-]+(?:\.(?:py|c|h|j2)|/))`")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_a_document_names_exist(document: str) -> None:
    """A layer's README speaks of its own files, the others of any layer's and of the tests."""
    layer = (ROOT / document).parent
    folders = [layer] if layer != ROOT else [ROOT / name for name in (*LAYERS, "tests")]
    text = re.sub(r"^```.*?^```", "", (ROOT / document).read_text("utf-8"), flags=re.M | re.S)
    for name in set(FILE_OR_FOLDER.findall(text)) - NO_FILE:
        exists = (ROOT / name).exists() or any(any(f.rglob(name)) for f in folders)
        assert exists, f"{document} names `{name}`"


def test_every_declared_dependency_floor_is_a_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for requirement in project["dependencies"]:
        assert any(sign in requirement for sign in (">=", "==", "<")), requirement


SQL = re.compile(
    r"\s*(SELECT\b.+\bFROM\b|INSERT\b.+\bINTO\b|UPDATE \w+ SET\b|DELETE FROM\b|PRAGMA \w)",
    re.DOTALL,
)
SQL_HOMES = ("calm/store/database.py", "calm/store/schema.py", "calm/store/tables/")
LABELS_HOME = "data/label/store.py"  # a database of its own


def test_sql_stands_where_the_tables_are() -> None:
    """A statement about answers is a named method of `calm.store.tables`."""
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            if place.startswith(SQL_HOMES) or place == LABELS_HOME:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert not SQL.match(node.value), f"{place}:{node.lineno}"
