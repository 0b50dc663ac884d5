"""An owner's address, token and death, as whoever asks meets them."""

import os
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from calm.errors import EndpointError, StoreError, UsageError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.owned.address import OwnerAddress, owner_of_environment
from calm.owned.connection import OwnerConnection
from calm.owner.models import OwnerOptions
from calm.owner.running import Listening, start_owner
from calm.records import Task, Transition
from calm.store.store import Store
from tests.support.processes import line, python
from tests.support.questions_owner import owner_of

RULES = {"pick up the key": ("key entered the inventory",), "open the door": ("door is open",)}


def test_the_token_is_for_this_user_alone_and_stays(tmp_path: Path) -> None:
    with start_owner(tmp_path / "s.sqlite") as owner:
        assert owner.token_file is not None
        assert stat.S_IMODE(owner.token_file.stat().st_mode) == 0o600
        assert owner.token_file.read_text() == owner.token
        assert owner.token not in repr(owner)
        first = (owner.url, owner.token)
    with start_owner(tmp_path / "s.sqlite") as owner:
        assert (owner.url, owner.token) == first


def test_one_store_has_one_owner(tmp_path: Path) -> None:
    with (
        start_owner(tmp_path / "s.sqlite") as owner,
        pytest.raises(UsageError, match=f"has an owner already, at {owner.url}"),
    ):
        start_owner(tmp_path / "s.sqlite")


def test_one_store_has_one_owner_whatever_link_leads_to_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.sqlite"
    with start_owner(tmp_path / "s.sqlite") as owner:
        link.symlink_to(tmp_path / "s.sqlite")
        with pytest.raises(UsageError, match=f"has an owner already, at {owner.url}"):
            start_owner(link)


def test_a_folder_that_can_t_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="name a store in another folder"):
        start_owner(tmp_path / "file" / "s.sqlite")


@pytest.mark.parametrize("begin", [b"", b"GET /calm-owner HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_that_names_no_token_is_ended_and_askers_stay(
    begin: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calm.owner.running.STRANGER_SECONDS", 0.3)
    with start_owner(tmp_path / "s.sqlite") as owner:
        host, port = owner.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 30) as stranger:
            stranger.sendall(begin)
            while stranger.recv(1000):
                pass
        asker, lines = connected(owner.url, owner.token)
        for _ in range(5):
            assert asker.call("models") == []
            time.sleep(0.1)
        asker.close()
    assert lines == []


def test_beyond_this_machine_it_needs_tls_or_a_word(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--insecure"):
        start_owner(tmp_path / "s.sqlite", listening=Listening("0.0.0.0"))
    with start_owner(tmp_path / "s.sqlite", listening=Listening("0.0.0.0", insecure=True)):
        pass
    with pytest.raises(UsageError, match="go together"):
        start_owner(tmp_path / "s.sqlite", listening=Listening(cert=tmp_path / "c.pem"))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CALM_OWNER": "host:1"}, "http://HOST:PORT"),
        ({"CALM_OWNER": "http://host:1"}, "no token is named"),
        ({"CALM_OWNER": "http://host:1", "CALM_OWNER_TOKEN": "short"}, "holds no token"),
        ({"CALM_OWNER": "http://host:1", "CALM_OWNER_TOKEN_FILE": "/no/such"}, "can't read"),
    ],
)
def test_an_address_or_token_that_is_none_is_refused(
    variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert owner_of_environment() is None
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=words):
        owner_of_environment()


def test_a_token_that_others_can_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("x" * 40)
    (tmp_path / "token").chmod(0o640)
    monkeypatch.setenv("CALM_OWNER", "http://host:1")
    monkeypatch.setenv("CALM_OWNER_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(UsageError, match="chmod 600"):
        owner_of_environment()
    (tmp_path / "token").chmod(0o600)
    assert owner_of_environment() == OwnerAddress("http://host:1", "x" * 40)


def connected(url: str, token: str, patience: float = 5.0) -> tuple[OwnerConnection, list[str]]:
    lines: list[str] = []
    return OwnerConnection(OwnerAddress(url, token), say=lines.append, patience=patience), lines


def test_a_wrong_token_another_version_and_no_owner_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_owner(tmp_path / "s.sqlite") as owner:
        asker, _ = connected(owner.url, "y" * 40)
        with pytest.raises(UsageError, match="does not take this token"):
            asker.call("models")
        monkeypatch.setattr("calm.owned.connection.VERSION", "0.0.9")
        asker, _ = connected(owner.url, owner.token)
        with pytest.raises(UsageError, match=r"here is calm 0\.0\.9.*install the same version"):
            asker.call("models")
    with Loopback(RULES) as server:
        asker, _ = connected(server.url.removesuffix("/v1"), "y" * 40)
        with pytest.raises(UsageError, match="no owner of questions"):
            asker.call("models")
    asker, _ = connected(owner.url, owner.token, patience=0.2)
    with pytest.raises(EndpointError, match="calm owner serve"):
        asker.call("models")


def test_a_clock_that_differs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_owner(tmp_path / "s.sqlite") as owner:
        asker, lines = connected(owner.url, owner.token)
        late = SimpleNamespace(time=lambda: time.time() + 600)
        monkeypatch.setattr("calm.owner.service.time", late)
        assert asker.call("models") == []
        asker.close()
    assert "ahead of this machine's" in lines[0]


def test_requests_that_are_none_are_refused_and_the_next_is_answered(tmp_path: Path) -> None:
    with start_owner(tmp_path / "s.sqlite") as owner:
        asker, _ = connected(owner.url, owner.token)
        for do, fields in (
            ("rm", {}),
            ("answers", {"keys": 3}),
            ("look_up", {"context": 1, "keys": "00"}),
            ("model", {"spec": "rules"}),
            ("model", {"spec": "openai:"}),
        ):
            with pytest.raises(UsageError):
                asker.call(do, **fields)
        assert asker.call("models") == []
        asker.close()


def test_tls_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    with start_owner(tmp_path / "s.sqlite", listening=Listening(cert=cert, key=key)) as owner:
        assert owner.url.startswith("https://")
        asker, _ = connected(owner.url, owner.token)
        with pytest.raises(EndpointError, match="SSL_CERT_FILE"):
            asker.call("models")
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        asker, _ = connected(owner.url, owner.token)
        assert asker.call("models") == []
        asker.close()


def test_whoever_asks_waits_for_an_owner_that_ends_and_goes_on_where_it_was(
    task: Task, transitions: list[Transition], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(RULES, latency=0.05) as server:
        options = OwnerOptions(base_url=server.url, concurrency=1, backoff=0.01)
        owner = start_owner(tmp_path / "s.sqlite", options=options)
        for name, value in owner.environment.items():
            monkeypatch.setenv(name, value)
        judge = make_judge("openai:m")
        done: list[int] = []

        def work() -> None:
            done.append(len(judge.judge(task, task.subgoals, transitions)))

        asking = threading.Thread(target=work)
        asking.start()
        while server.requests < 2:
            time.sleep(0.01)
        owner.close()
        with start_owner(tmp_path / "s.sqlite", options=options):
            asking.join(60)
            assert done == [12]
    with Store(tmp_path / "s.sqlite") as store:
        paid = store.database.value("SELECT count(*) FROM answers")
    assert paid == 7
    assert max(server.answered.values()) <= 2  # what was under way when it was cancelled


def test_the_command_prints_how_to_ask_through_it_and_never_the_token(tmp_path: Path) -> None:
    options = ("-m", "calm", "owner", "serve", "--store", tmp_path / "s.sqlite")
    with python(*options, cwd=tmp_path) as process:
        address, file = line(process), line(process)
        assert address.startswith("export CALM_OWNER=http://127.0.0.1:")
        path = Path(file.removeprefix("export CALM_OWNER_TOKEN_FILE="))
        token = path.read_text()
        assert token not in Path(f"/proc/{process.pid}/cmdline").read_text()
        assert token.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
        url = address.removeprefix("export CALM_OWNER=")
        asker, _ = connected(url, token)
        assert asker.call("models") == []
        asker.close()
        process.terminate()
        assert process.wait(30) == 143
    assert "CALM_OWNER" not in os.environ


def test_an_owner_in_memory_serves_a_test(
    task: Task, transitions: list[Transition], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(RULES) as server, owner_of(server, None, monkeypatch) as owner:
        assert owner.token_file is None
        judge = make_judge("openai:m")
        assert len(judge.judge(task, task.subgoals, transitions)) == 12
