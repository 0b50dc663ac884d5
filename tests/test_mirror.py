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
    # What it shows is tested with the command that fetches.
    "calm/cli/fetching.py": "tests/calm/cli/test_models.py",
    # Owner and asker are tested together: one is nothing without the other.
    "calm/judges/owned.py": "tests/calm/owned/test_client.py",
    "calm/owned/address.py": "tests/calm/owner/test_running.py",
    "calm/owned/connection.py": "tests/calm/owner/test_running.py",
    "calm/owned/wire.py": "tests/calm/owned/test_client.py",
    "calm/owner/models.py": "tests/calm/owned/test_client.py",
    "calm/owner/service.py": "tests/calm/owner/test_running.py",
    "calm/cli/owner_serve.py": "tests/calm/owner/test_running.py",
    "calm/store/tables/merging.py": "tests/calm/store/test_merge.py",
    "calm/cli/store_merge.py": "tests/calm/store/test_merge.py",
    "calm/cli/bench_owner.py": "tests/calm/bench/test_owner.py",
    # A constant alone.
    "calm/version.py": "tests/calm/cli/test_main.py",
    # What is asked in it, and in statements.
    "calm/open_question.py": "tests/calm/test_decompose.py",
    # Forms of question are tested with the judges that ask in them.
    "calm/asking/one_by_one.py": "tests/calm/judges/test_forms.py",
    # What is learned on one half is tested on the other.
    "data/evaluation/learn_thresholds.py": "tests/data/evaluation/test_halves.py",
    # From models' answers to their table and page: one story.
    "data/cli/models_table.py": "tests/data/evaluation/test_model_cells.py",
    "data/evaluation/own_subgoals.py": "tests/data/evaluation/test_model_cells.py",
    "data/report/model_page.py": "tests/data/evaluation/test_model_cells.py",
    # Declarations alone; the commands that take them are tested.
    "data/cli/label_options.py": "tests/data/cli/test_label.py",
    # Protocols alone, tested with what has them.
    "envs/bonus/protocol.py": "tests/envs/bonus/test_novelty.py",
    "envs/players/player.py": "tests/envs/players/test_make.py",
    "envs/stepping/backend.py": "tests/envs/test_implementations.py",
    # The native backend is tested as the batch that it steps, and as its workers die.
    "envs/native/backend.py": "tests/envs/native/test_workers.py",
    # Commands that print what one function returns are tested with that function.
    "agents/cli/bench_encoders.py": "tests/agents/cli/test_encoders.py",
    "agents/cli/bench_gpu.py": "tests/agents/bench/test_gpu.py",
    "agents/cli/bench_study.py": "tests/agents/cluster/test_bench.py",
    "agents/cli/commands.py": "tests/calm/cli/test_main.py",
    "agents/cli/data_build.py": "tests/agents/data_sets/test_build.py",
    "agents/cli/data_export.py": "tests/agents/sharing/test_export.py",
    "agents/cli/hub_pull.py": "tests/agents/sharing/test_hub.py",
    "agents/cli/hub_push.py": "tests/agents/sharing/test_hub.py",
    "agents/cli/report.py": "tests/agents/cli/test_train.py",
    # The bench runs each contestant in a process of its own; peers only where they are installed.
    "agents/bench/one_contestant.py": "tests/agents/bench/test_training.py",
    "agents/bench/peers/pufferlib.py": "tests/agents/bench/test_training.py",
    "agents/bench/peers/sample_factory.py": "tests/agents/bench/test_training.py",
    "agents/bench/settings.py": "tests/agents/bench/test_training.py",
    # Lists of names, tested with the network that reads them.
    "agents/network/names.py": "tests/agents/network/test_extractor.py",
    # Beside MiniHack's own.
    "envs/game/engine.py": "tests/whole/test_conformance.py",
}
"""Modules that are tested in another file, and in which."""


@pytest.mark.parametrize("layer", ["calm", "envs", "data", "agents"])
def test_every_module_has_its_tests(layer: str) -> None:
    for module in sorted((ROOT / layer).rglob("*.py")):
        if module.name == "__init__.py":
            continue
        path = module.relative_to(ROOT)
        own = Path("tests", path.parent, f"test_{path.name}")
        tests = Path(ELSEWHERE.get(path.as_posix(), own))
        assert (ROOT / tests).is_file(), f"{path} is tested nowhere: {tests} is missing"
