"""Ctrl-C in a process that trains: once, however often it is sent. One that dies makes room."""

import multiprocessing as mp
import queue
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.training.executor import train_all
from agents.training.parallel import STOPS, LocalProcesses, _interrupt_once
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from calm.errors import CalmError


def test_a_second_ctrl_c_does_not_end_what_the_first_one_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # and put back
    before = {number: signal.getsignal(number) for number in STOPS}
    saved = []
    try:
        _interrupt_once()
        try:
            signal.raise_signal(signal.SIGINT)
            pytest.fail("not interrupted")
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)
            saved.append("checkpoint")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert saved == ["checkpoint"]


def test_ctrl_c_and_sigterm_at_the_same_moment_are_one_interruption(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {number: signal.getsignal(number) for number in STOPS}
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        for number in STOPS:
            signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            _interrupt_once()  # lets both in
        time.sleep(0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert complaints == []


def test_a_killed_run_makes_room_while_others_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three runs, two at once, the second is killed and the first reports without a pause."""
    started: list[int] = []
    messages: list[tuple[int, TrainingStatus | None]] = [
        (0, TrainingStatus(n, 9, 1.0, None, 0)) for n in range(9)
    ]
    messages.append((0, None))

    class Process:
        def __init__(self, target: object, args: tuple[Any, ...], daemon: bool) -> None:
            self.index = args[0]
            self.exitcode = -9
            self.pid = None

        def start(self) -> None:
            started.append(self.index)
            if self.index == 2:
                messages.insert(0, (2, None))

        def is_alive(self) -> bool:
            return self.index != 1

        def join(self, timeout: float = 0) -> None: ...

        def kill(self) -> None: ...

    class Messages:
        def empty(self) -> bool:
            return True

        def get(self, timeout: float) -> tuple[int, TrainingStatus | None]:
            if not messages:
                raise queue.Empty
            return messages.pop(0)

    context = SimpleNamespace(Queue=Messages, Process=Process, set_forkserver_preload=list)
    monkeypatch.setattr(mp, "get_context", lambda _: context)
    reports: list[tuple[int, list[int]]] = []
    ended: list[int] = []
    with pytest.raises(CalmError, match=r"b: died with exit code -9$"):
        train_all(
            [Run(tmp_path / name) for name in "abc"],
            LocalProcesses(at_once=2),
            on_progress=lambda _, progress: reports.append((progress.steps, list(started))),
            on_end=ended.append,
        )
    assert reports == [(n, [0, 1, 2]) for n in range(9)]
    assert ended == [2, 0]


def test_the_last_word_of_a_process_that_was_ended_is_passed_over() -> None:
    executor = LocalProcesses(at_once=1)
    executor.begin([])
    executor._messages = queue.Queue()
    executor._messages.put((0, None))
    assert executor.news() == []
    executor.end(interrupt=False)


def test_ctrl_c_while_a_run_is_being_started_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is loading then, and fails loudly if its parent ends."""
    ends: list[str] = []

    class Process:
        pid = None
        exitcode = None

        def __init__(self, **_: Any) -> None: ...

        def start(self) -> None:
            signal.raise_signal(signal.SIGINT)  # held back until it is started

        def is_alive(self) -> bool:
            return True

        def join(self, timeout: float = 0) -> None:
            ends.append("waited for")

        def kill(self) -> None:
            ends.append("ended")

    context = SimpleNamespace(Queue=queue.Queue, Process=Process, set_forkserver_preload=list)
    monkeypatch.setattr(mp, "get_context", lambda _: context)
    with pytest.raises(KeyboardInterrupt):
        train_all([Run(tmp_path / "a")], LocalProcesses())
    assert ends == ["waited for", "ended"]


def test_a_long_name_of_the_folder_for_temporary_files_takes_no_socket_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    methods = []
    context = SimpleNamespace(Queue=queue.Queue, set_forkserver_preload=list)
    monkeypatch.setattr(mp, "get_context", lambda method: methods.append(method) or context)
    for folder in ("/tmp", "/" + "x" * 90):
        monkeypatch.setattr(tempfile, "tempdir", folder)
        train_all([], LocalProcesses())
    assert methods == ["forkserver", "spawn"]
