"""The tests are the tree again: `calm/text.py` is tested by `tests/calm/test_text.py`."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ELSEWHERE = {
    "calm/__main__.py": "tests/calm/cli/test_main.py",
    "calm/loopback/__main__.py": "tests/calm/loopback/test_server.py",
    # One story of four commands: weights are pulled, listed, served and removed.
    "calm/cli/models_list.py": "tests/calm/cli/test_models.py",
    "calm/cli/models_pull.py": "tests/calm/cli/test_models.py",
    "calm/cli/models_remove.py": "tests/calm/cli/test_models.py",
    "calm/cli/models_serve.py": "tests/calm/cli/test_models.py",
    # Forms of question are tested with the judges that ask in them.
    "calm/asking/one_by_one.py": "tests/calm/judges/test_forms.py",
    # What is learned on one half is tested on the other.
    "data/evaluation/learn_thresholds.py": "tests/data/evaluation/test_halves.py",
    # From models' answers to their table and page: one story.
    "data/cli/models_table.py": "tests/data/evaluation/test_model_cells.py",
    "data/report/model_page.py": "tests/data/evaluation/test_model_cells.py",
    # Declarations alone; the commands that take them are tested.
    "data/cli/label_options.py": "tests/data/cli/test_label.py",
}
"""Modules that are tested in another file, and in which."""


@pytest.mark.parametrize("layer", ["calm", "data"])
def test_every_module_has_its_tests(layer: str) -> None:
    for module in sorted((ROOT / layer).rglob("*.py")):
        if module.name == "__init__.py":
            continue
        path = module.relative_to(ROOT)
        own = Path("tests", path.parent, f"test_{path.name}")
        tests = Path(ELSEWHERE.get(path.as_posix(), own))
        assert (ROOT / tests).is_file(), f"{path} is tested nowhere: {tests} is missing"
