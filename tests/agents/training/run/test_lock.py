"""A folder has one owner at a time; real processes, one of them killed."""

import json
import signal
import socket
from pathlib import Path

import pytest

from agents.training.run import lock
from agents.training.run.lock import FILE, is_owned, owned, owned_in_turn
from calm.errors import UsageError
from tests.support.owner import owning_process


def test_a_second_owner_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with owning_process(tmp_path) as process:
        message = (
            rf"{tmp_path} is in use by process {process.pid} on {socket.gethostname()}, since 2"
        )
        with pytest.raises(UsageError, match=message), owned(tmp_path):
            pytest.fail("owned by two")
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(240) == 0
        assert not (tmp_path / FILE).exists()
        with owned(tmp_path):
            assert json.loads((tmp_path / FILE).read_text())["host"] == socket.gethostname()


def test_an_owner_that_is_killed_owns_nothing(tmp_path: Path) -> None:
    with owning_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(240)
        assert (tmp_path / FILE).exists()
        with owned(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_an_owner_on_another_machine_is_taken_at_its_word(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(json.dumps({"pid": 7, "host": "elsewhere", "since": "yesterday"}))
    message = rf"process 7 on elsewhere, since yesterday.*remove {path}"
    with pytest.raises(UsageError, match=message), owned(tmp_path):
        pytest.fail("owned by two")
    path.unlink()
    with owned(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "half a {", "[1]", "7"])
def test_a_file_that_says_nothing_of_use_is_no_owner(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with owned(tmp_path):
        pass


def test_only_an_owner_is_waited_for_and_not_a_place_that_can_t_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(lock.time, "sleep", lambda _: pytest.fail("waits"))
    with pytest.raises(UsageError, match="can't be used"), owned_in_turn(tmp_path / "file"):
        pytest.fail("owned")


def test_a_process_owns_a_folder_once(tmp_path: Path) -> None:
    with owned(tmp_path):
        with pytest.raises(UsageError, match="this very process"), owned(tmp_path):
            pytest.fail("owned twice")
        with owned(tmp_path / "inner"):
            pass
    with owned(tmp_path):
        pass


def test_a_folder_that_is_moved_stays_owned_and_leaves_nothing(tmp_path: Path) -> None:
    old, aside = tmp_path / "demo", tmp_path / "aside"
    with owned(old):
        old.rename(aside)
        with owned(old):
            pass
        assert (aside / FILE).exists()
    assert list(aside.iterdir()) == []


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file can't be used"), owned(tmp_path / "file"):
        pytest.fail("owned")


def test_who_only_looks_is_told_of_an_owner_and_holds_up_nobody(tmp_path: Path) -> None:
    assert not is_owned(tmp_path)
    with owning_process(tmp_path) as process:
        assert is_owned(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait(240)
        assert (tmp_path / FILE).exists()
        assert not is_owned(tmp_path)
    with owned(tmp_path):
        assert is_owned(tmp_path)
    assert not is_owned(tmp_path)
    for text in ("", "[]", "{}", '{"pid": "x"}'):  # just begun, or damaged
        (tmp_path / FILE).write_text(text)
        assert not is_owned(tmp_path)
    (tmp_path / FILE).write_text('{"pid": 1, "host": "elsewhere"}')
    assert is_owned(tmp_path)
