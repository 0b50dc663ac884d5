"""One server for all who name the same weights, there while it is used, and never longer."""

import os
import signal
import urllib.request
from pathlib import Path

import pytest

from calm.errors import EndpointError, UsageError
from calm.local.lease import ServerLease
from tests.support.processes import eventually, line, python, running
from tests.support.standin import certain_keeper, lease_of, processes_of

USER = """
import sys, time
from pathlib import Path
from tests.support.standin import lease_of
lease = lease_of(Path(sys.argv[1]))
print(lease.wait(), flush=True)
time.sleep(600)
"""


def answers(address: str) -> bool:
    with urllib.request.urlopen(f"{address}/models", timeout=60) as reply:
        return bool(reply.status == 200)


def both_gone(pids: tuple[int, int]) -> bool:
    return eventually(lambda: not any(running(pid) for pid in pids))


def test_a_server_starts_when_it_is_first_needed_and_is_told(tmp_path: Path) -> None:
    lines: list[str] = []
    lease = lease_of(tmp_path, "slow", tell=lines.append)
    assert not lease.alive()
    assert answers(lease.wait())
    assert "loading tiny-model-3@" in lines[0]
    assert "on 1 thread" in lines[0]
    assert "ready after" in lines[-1]
    assert "1 thread, 4 slots of 2048 tokens" in lines[-1]
    pids = processes_of(lease)
    lease.close()
    assert both_gone(pids)
    with pytest.raises(EndpointError, match="closed"):
        lease.step()


def test_two_leases_and_another_process_share_a_server(tmp_path: Path) -> None:
    first, second = lease_of(tmp_path), lease_of(tmp_path)
    address = first.wait()
    with python("-c", USER, tmp_path) as user:
        assert second.wait() == address == line(user)
        pids = processes_of(first)
        first.close()
        second.close()
        assert answers(address)  # the other process is left
        assert all(running(pid) for pid in pids)
        user.kill()
        user.wait()
        assert both_gone(pids)


def test_users_that_are_killed_leave_nothing_behind_while_others_start(tmp_path: Path) -> None:
    lease = lease_of(tmp_path)
    with python("-c", USER, tmp_path) as one, python("-c", USER, tmp_path) as other:
        assert line(one) == line(other) == lease.wait()
        pids = processes_of(lease)
        for user in (one, other):
            user.kill()
            user.wait()
    assert answers(lease.wait())
    lease.close()
    assert both_gone(pids)
    again = lease_of(tmp_path)  # the next user has a new one, however soon it comes
    assert answers(again.wait())
    assert processes_of(again) != pids
    pids = processes_of(again)
    again.close()
    assert both_gone(pids)


def test_a_forked_process_keeps_no_server_alive(tmp_path: Path) -> None:
    fork = "child = os.fork()\nif child:\n    print(child, flush=True)\n"  # one writer alone
    forks = "import os\n" + USER.replace("time.sleep(600)", fork + "time.sleep(600)")
    with python("-c", forks, tmp_path) as user:
        line(user)
        child = int(line(user))
        try:
            lease = lease_of(tmp_path)
            lease.wait()
            pids = processes_of(lease)
            lease.close()
            user.kill()
            user.wait()
            assert both_gone(pids)
            assert running(child)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_killed_keeper_takes_the_server_along_and_the_next_question_starts_it(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    lease = lease_of(tmp_path, tell=lines.append)
    address = lease.wait()
    keeper, server = processes_of(lease)
    os.kill(keeper, signal.SIGKILL)
    # The server dies with the keeper's first thread, its locks are free after the last.
    assert eventually(lambda: not running(server) and not lease.alive())
    assert answers(new := lease.wait())
    assert new != address
    assert any("is gone" in line for line in lines)
    pids = processes_of(lease)
    lease.close()
    assert both_gone(pids)


def test_a_killed_server_is_told_and_started_again_but_not_for_ever(tmp_path: Path) -> None:
    lines: list[str] = []
    lease = lease_of(tmp_path, tell=lines.append)
    for _ in range(2):
        lease.wait()
        os.kill(processes_of(lease)[1], signal.SIGKILL)
        assert eventually(lambda: not lease.alive())
    lease.wait()
    os.kill(processes_of(lease)[1], signal.SIGKILL)
    assert eventually(lambda: not lease.alive())
    with pytest.raises(EndpointError, match=r"died 3 times.*by signal 9"):
        lease.wait()
    lease.close()


def test_weights_that_do_not_load_say_why_at_once(tmp_path: Path) -> None:
    lease = lease_of(tmp_path, "no-load")
    with pytest.raises(EndpointError, match=r"exit code 1; its last words: a tensor is missing"):
        lease.wait()
    lease.close()


def test_a_server_that_hangs_is_ended_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calm.local.lease.KEEPER", certain_keeper())
    lease = lease_of(tmp_path, hang=1.0)
    lease.wait()
    pids = processes_of(lease)
    os.kill(pids[1], signal.SIGSTOP)
    assert both_gone(pids)
    assert "hung: no word from it for 1 s" in lease.state()["why"]
    lease.close()


def test_a_model_that_does_not_fit_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calm.local.machine.free_memory", lambda: 1e6)
    lease = lease_of(tmp_path)
    with pytest.raises(UsageError, match=r"does not fit into memory.*0.5 GB"):
        lease.wait()
    assert not lease.alive()
    lease.close()


def test_a_lease_ends_with_the_object(tmp_path: Path) -> None:
    lease: ServerLease | None = lease_of(tmp_path)
    assert lease is not None
    lease.wait()
    pids = processes_of(lease)
    del lease
    assert both_gone(pids)
