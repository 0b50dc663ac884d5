"""An attempt on a node: what it sends, and that it trains what one machine would have trained."""

from pathlib import Path
from typing import Any

import pytest

from agents.cluster.cell import CellNeeds, Ending
from agents.cluster.folder_files import ChangedFiles, write_files
from agents.cluster.ray_task import Message, TravellingRun, train_in_task
from agents.cluster.versions import versions
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from agents.training.settings.config import TrainConfig
from agents.training.train import train

CONFIG = TrainConfig(
    judge="none",
    n_envs=4,
    n_steps=16,
    steps=256,
    eval_every=128,
    eval_episodes=2,
    features_dim=16,
    checkpoint_every=64,
)
TIMES = ("seconds", "cpu_seconds", "eval_seconds")


class List(list[Message]):
    """A mailbox that keeps its messages."""

    def put(self, item: Message) -> None:
        self.append(item)


class Dying(List):
    """A mailbox whose node dies with the third checkpoint."""

    def put(self, item: Message) -> None:
        super().put(item)
        if sum(not isinstance(message.news, TrainingStatus) for message in self) == 3:
            raise SystemExit


def untimed(run: Run) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in run.metrics()]


def attempt(folder: Path, mailbox: List) -> tuple[Ending, dict[str, bytes]]:
    files = ChangedFiles(folder).take()
    return train_in_task(7, files, mailbox, CellNeeds(), versions(), None, {})


def test_a_cell_is_trained_as_here_and_its_files_come_with_each_checkpoint(tmp_path: Path) -> None:
    here = Run.create(tmp_path / "here", CONFIG)
    train(here)
    there = Run.create(tmp_path / "there", CONFIG)
    mailbox = List()
    ending, files = attempt(there.folder, mailbox)
    assert ending == Ending()
    sent = [m.news for m in mailbox if not isinstance(m.news, TrainingStatus)]
    assert all("checkpoint.pt" in news for news in sent)
    assert len(sent) == 5  # of 0, 64, 128, 192 and 256 steps
    assert "metrics.parquet" not in sent[1]  # which had not changed
    assert {message.attempt for message in mailbox} == {7}
    for news in (*sent, files):
        write_files(there.folder, news)
    assert untimed(there) == untimed(here)
    names = {p.name for p in here.folder.iterdir()}
    assert {p.name for p in there.folder.iterdir()} == names


def test_after_a_death_it_resumes_elsewhere_from_the_last_checkpoint_that_came(
    tmp_path: Path,
) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    mailbox = Dying()
    with pytest.raises(SystemExit):
        attempt(run.folder, mailbox)
    for message in mailbox:
        if not isinstance(message.news, TrainingStatus):
            write_files(run.folder, message.news)
    assert run.load_checkpoint()["steps"] == 128
    ending, files = attempt(run.folder, again := List())
    assert ending == Ending()
    for message in again:
        if not isinstance(message.news, TrainingStatus):
            write_files(run.folder, message.news)
    write_files(run.folder, files)
    assert run.resumed_at == [128]
    assert [row["steps"] for row in run.metrics()] == [0, 128, 256]


def test_files_that_did_not_arrive_are_sent_with_the_next_checkpoint(tmp_path: Path) -> None:
    class Interrupted(List):
        def put(self, item: Message) -> None:
            if not self:
                self.append(item)
                raise KeyboardInterrupt
            super().put(item)

    mailbox = Interrupted()
    Run.create(tmp_path / "run", CONFIG)
    run = TravellingRun(tmp_path / "run", 1, mailbox)
    run.write_metrics([{"steps": 0}])
    with pytest.raises(KeyboardInterrupt):
        run.save_checkpoint({"steps": 0})
    run.save_checkpoint({"steps": 0})
    news = mailbox[-1].news
    assert isinstance(news, dict)
    assert set(news) == {"metrics.parquet", "checkpoint.pt"}
