"""A run's folder: nothing is overwritten, nothing that could run code is loaded."""

import os
import pickle
import platform
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from agents.training.run.folder import Run, provenance
from agents.training.run.lock import owned
from agents.training.settings.config import TrainConfig
from calm.bench.harness import processor
from calm.errors import UsageError
from calm.records import Subgoal
from tests.support.owner import owning_process
from tests.support.processes import line, python

CONFIG = TrainConfig(judge="none", seed=3)


def test_a_run_is_not_started_over_another(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    assert run.config == CONFIG
    assert run.started_with["nle"].startswith("1.3")
    with pytest.raises(UsageError, match=r"--resume.*remove it: nothing has been trained in it"):
        Run.create(tmp_path / "run", CONFIG)
    run.save_checkpoint({"steps": 7})
    with pytest.raises(UsageError, match=r"another folder with --out$"):
        Run.create(tmp_path / "run", CONFIG)


def test_nobody_is_told_to_remove_a_folder_that_is_in_use(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    with owned(run.folder), pytest.raises(UsageError, match=r"another folder with --out$"):
        Run.create(run.folder, CONFIG)


def test_metrics_and_resumptions_are_kept(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG)
    assert run.metrics() == []
    rows = [{"steps": 5, "success": 0.0, "asked": None}, {"steps": 7, "success": 0.5, "asked": 3}]
    run.write_metrics(rows)
    assert Run.open(tmp_path).metrics() == rows
    run.note_resumed(5)
    run.note_resumed(7)
    assert run.resumed_at == [5, 7]


def test_a_checkpoint_reads_back(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG)
    run.save_checkpoint({"steps": 7, "weights": torch.arange(3)})
    state = run.load_checkpoint()
    assert state["steps"] == 7
    assert state["weights"].tolist() == [0, 1, 2]


class Planted:
    def __reduce__(self) -> tuple:
        return (exec, ("raise SystemExit('ran')",))


@pytest.mark.parametrize("content", [b"", b"PK", b"{}", None])
def test_a_damaged_checkpoint_is_told_in_our_words(content: bytes | None, tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG)
    run.save_checkpoint({"steps": 7, "weights": torch.arange(300)})
    whole = run.checkpoint_path.read_bytes()
    run.checkpoint_path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(UsageError, match=r"damaged.*remove it: `calm train --resume") as caught:
        run.load_checkpoint()
    assert "weights_only" not in str(caught.value)
    torch.save([1, 2], run.checkpoint_path)
    with pytest.raises(UsageError, match="no checkpoint of a run"):
        run.load_checkpoint()


def test_a_run_is_lengthened_where_that_changes_nothing_before(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG.model_copy(update={"steps": 100}))
    run.lengthen(100)
    run.lengthen(200)
    assert run.config == CONFIG.model_copy(update={"steps": 200})
    run.save_checkpoint({"steps": 160})
    with pytest.raises(UsageError, match="trained for 160 steps, more than 150"):
        run.lengthen(150)
    for name in ("learning_rate_end", "ent_coef_end", "weight_end"):
        falling = Run.create(tmp_path / name, CONFIG.model_copy(update={name: 0.0, "steps": 100}))
        falling.save_checkpoint({"steps": 40})
        falling.lengthen(200)
        falling.lengthen(400)
        assert (falling.config.steps, falling.config.schedule_steps) == (400, 100)
        falling.lengthen(100)
        assert (falling.config.steps, falling.config.schedule_steps) == (100, None)


def test_metrics_are_read_whole_while_training_replaces_them(tmp_path: Path) -> None:
    run, stop = Run(tmp_path), threading.Event()
    tables = [[{"steps": step, "text": "x" * step} for step in range(n)] for n in (1, 300, 7)]
    run.write_metrics(tables[0])

    def replace() -> None:
        while not stop.is_set():
            for table in tables:
                run.write_metrics(table)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        assert all(run.metrics() in tables for _ in range(200))
    finally:
        stop.set()
        writer.join()


def test_a_schedule_goes_on_to_the_last_step_of_a_run_that_has_not_begun(tmp_path: Path) -> None:
    falling = CONFIG.model_copy(update={"learning_rate_end": 0.0, "steps": 100})
    run = Run.create(tmp_path / "run", falling)
    run.lengthen(200)
    assert run.config == falling.model_copy(update={"steps": 200})


def test_an_untrained_run_is_taken_back_and_nothing_else(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    (run.folder / "mine.txt").write_text("kept")
    with owning_process(run.folder):
        run.take_back()
    assert run.config == CONFIG  # another process may be about to train it
    run.take_back()
    assert [path.name for path in run.folder.iterdir()] == ["mine.txt"]
    Run.create(run.folder, CONFIG)
    (run.folder / "mine.txt").unlink()
    run.take_back()
    assert not run.folder.exists()
    run.take_back()  # it is gone already
    trained = Run.create(tmp_path / "trained", CONFIG)
    trained.save_checkpoint({"steps": 1})
    trained.take_back()
    assert trained.config == CONFIG


def test_a_linked_folder_is_taken_back_too(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    Run.create(tmp_path / "run", CONFIG).take_back()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_runs_own_subgoals_come_back_with_their_statements(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG)
    assert run.subgoals() is None
    run.keep_subgoals([Subgoal("take it", "It is in.", ("the key is in",)), Subgoal("go", "Gone.")])
    stored = run.subgoals()
    assert stored is not None
    assert [s.statements for s in stored] == [("the key is in",), ()]


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG)
    torch.save({"steps": Planted()}, run.checkpoint_path)
    with pytest.raises(UsageError, match="can't be read"):
        run.load_checkpoint()
    run.checkpoint_path.write_bytes(pickle.dumps("half a file")[:5])
    with pytest.raises(UsageError, match="can't be read"):
        run.load_checkpoint()


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("metrics.parquet", Run.metrics),
        ("judged.json", Run.judged),
        ("resumed.json", lambda run: run.resumed_at),
        ("provenance.json", lambda run: run.started_with),
        ("subgoals.json", Run.subgoals),
    ],
)
@pytest.mark.parametrize("content", [b"", b"PAR1{", b"\xff\xfe", b'{"a": 3}'])
def test_a_damaged_file_is_named(
    file: str, read: Callable[[Run], object], content: bytes, tmp_path: Path
) -> None:
    run = Run.create(tmp_path, CONFIG)
    (tmp_path / file).write_bytes(content)
    if (file, content) == ("provenance.json", b'{"a": 3}'):
        assert read(run) == {"a": "3"}
        return
    with pytest.raises(UsageError, match=f"{file} can't be read"):
        read(run)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        Run.open(tmp_path)
    with pytest.raises(UsageError, match=r"no checkpoint\.pt"):
        Run.create(tmp_path, CONFIG).load_checkpoint()


def test_a_result_names_the_processor_that_made_it() -> None:
    machine = provenance()["machine"]
    assert machine.startswith(processor())
    assert machine.endswith(f"{os.cpu_count()} cores, {platform.system()}")


def test_it_is_kept_how_many_threads_computed_the_updates(tmp_path: Path) -> None:
    run = Run.create(tmp_path, CONFIG)
    assert "threads" not in run.started_with
    run.note_started(3)
    assert run.started_with["threads"] == "3"


def test_metrics_are_read_without_loading_torch_or_openai() -> None:
    """`calm watch` and `calm report` need no seconds and no 300 MB for them."""
    code = "import sys, agents.report.page, agents.watch.server; print({*sys.modules})"
    with python("-c", code) as process:
        modules = line(process)
        assert process.wait(240) == 0
    assert "'agents.watch.server'" in modules
    assert "'torch'" not in modules
    assert "'openai'" not in modules
