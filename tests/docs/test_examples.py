"""Every program in docs/examples runs; what it shows is asserted, in sizes of seconds."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from nbclient import NotebookClient

from calm.errors import CalmError
from calm.local.pull import pull

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def main_of(name: str) -> Callable[..., Any]:
    """Returns the `main` of an example."""
    main: Callable[..., Any] = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]
    return main


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs an example in a folder of its own, with one thread: other tests run beside it."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_frozen_lake_is_learned_sooner_with_credit(capsys: pytest.CaptureFixture[str]) -> None:
    success = main_of("frozen_lake")("rules", episodes=200)
    assert success["with credit"] > success["without credit"] + 0.2
    questions = int(capsys.readouterr().out.split()[-3])
    assert questions <= 30  # of some thousands of steps


def test_what_each_form_of_credit_makes_best_is_what_paper_and_pencil_say() -> None:
    example = main_of("credit_optimum").__globals__
    steps, gamma, stairs = example["steps_to_stairs"], example["GAMMA"], example["STAIRS"]
    for detour, weight in [(1, 0.05), (5, 0.05), (5, 0.3), (10, 0.3), (13, 0.3), (20, 0.3)]:
        ahead = weight + gamma ** (stairs - 1)  # the subgoal on the way, and the stairs
        last = gamma ** (stairs + 2 * detour + 1)
        returns = {
            stairs: ahead,
            stairs + 2 * detour: weight * gamma ** (detour - 1) + gamma ** (2 * detour) * ahead,
            stairs + 2 * detour + 2: weight + weight * gamma ** (detour + 1) + last,
        }
        assert steps(detour, "once", weight) == max(returns, key=returns.__getitem__)
    for detour in (1, 5, 20):
        assert steps(detour, None) == steps(detour, "potential") == stairs
        assert steps(detour, "every") is None
        assert example["advantage_changed_by"]("potential", detour) < 1e-6  # float32's rounding
        assert example["advantage_changed_by"]("once", detour) > 0.02


def test_rows_of_a_parquet_are_judged_and_those_alike_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table: pa.Table = main_of("annotate_parquet")()
    assert table["take the ladle"].to_pylist() == [False, True, False, False]
    assert table["fill the bowl"].to_pylist() == [False, False, False, True]
    assert pq.read_table(tmp_path / "kitchen-judged.parquet") == table
    assert "4 rows, 3 distinct" in capsys.readouterr().out


def test_a_level_of_ones_own_pays_credit(capsys: pytest.CaptureFixture[str]) -> None:
    sums = main_of("own_level")(steps=100)
    assert sums["credit"] >= 1
    assert "Cellar-v0: Pick up the apple" in capsys.readouterr().out


def test_an_encoder_alone_learns_in_a_network_of_ones_own() -> None:
    assert main_of("encoder_alone")("agent", updates=60) > 0.6  # half of the maps hold both


def test_ppo_in_one_file_runs_on_the_vector_environment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 0 <= main_of("cleanrl_style")(256, n_envs=2, n_steps=64) <= 1
    assert capsys.readouterr().out.startswith("128 steps: ")


def test_sb3_trains_on_the_vector_environment() -> None:
    assert 0 <= main_of("minihack_sb3")(64, n_envs=2, n_steps=32, episodes=2) <= 1


def test_another_game_is_put_into_words_and_judged(capsys: pytest.CaptureFixture[str]) -> None:
    success = main_of("babyai")("rules", steps=512)
    assert set(success) == {"without credit", "with credit"}
    questions = int(capsys.readouterr().out.split()[-3])
    assert 7 <= questions <= 14  # seven actions, before the door or not


@pytest.mark.slow
def test_another_game_is_learned() -> None:
    success = main_of("babyai")()
    assert success["with credit"] > 0.8


@pytest.mark.slow
def test_ppo_in_one_file_learns() -> None:
    assert main_of("cleanrl_style")(120_000) > 0.5  # 0.76 where it was written


@pytest.mark.slow
def test_a_local_model_judges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    try:
        pull("qwen2.5-coder-1.5b")
    except CalmError as error:
        pytest.skip(f"its weights can't be fetched: {error}")
    assert main_of("local_model")(rows=2) > 0.5


def test_every_example_is_short_and_named_in_a_test() -> None:
    tests = Path(__file__).read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'main_of("{path.stem}")' in tests, path.name
        assert len(path.read_text("utf-8").splitlines()) <= 100, path.name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # jupyter's own
def test_every_cell_of_the_notebook_runs_and_its_outputs_are_those_of_its_code() -> None:
    book = nbformat.read(EXAMPLES / "tour.ipynb", 4)
    written = {cell.id: cell.outputs for cell in book.cells if cell.cell_type == "code"}
    for cell in book.cells:
        cell.source = cell.source.replace("STEPS = 30_000", "STEPS = 1_000")
    NotebookClient(book, timeout=600, kernel_name="python3").execute()
    outputs = {cell.id: cell.outputs for cell in book.cells if cell.cell_type == "code"}
    same = ["cell-2", "cell-4"]  # of the game and the judge, which no processor changes
    assert [outputs[i] for i in same] == [written[i] for i in same]
    assert "come within 2 steps of the key" in outputs["cell-4"][0]["text"]
    figure = outputs[list(outputs)[-1]][0]["data"]
    assert figure["image/png"]
