"""One owner of questions for cells that ask, and none for those that do not."""

import os
from pathlib import Path

import pytest

from agents.cluster.questions import Asking
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.errors import UsageError
from calm.owned.address import ADDRESS, CERTIFICATE, TOKEN, TOKEN_FILE
from calm.owned.client import open_store

TOKEN_OF_MINE = "a-token-of-sixteen-or-more-letters"


@pytest.fixture(autouse=True)
def no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (ADDRESS, CERTIFICATE, TOKEN, TOKEN_FILE):
        monkeypatch.delenv(name, raising=False)


def run(folder: Path, judge: str) -> Run:
    return Run.create(folder / "run", TrainConfig(judge=judge))


def test_no_owner_is_started_where_nobody_asks(tmp_path: Path) -> None:
    with Asking(tmp_path / "store.sqlite").owner([run(tmp_path, "rules")], "head") as environment:
        assert environment == {}
    assert not (tmp_path / "store.sqlite").exists()


def test_on_one_machine_an_owner_listens_on_the_loopback(tmp_path: Path) -> None:
    with Asking(tmp_path / "store.sqlite").owner([run(tmp_path, "openai:m")], None) as environment:
        assert environment[ADDRESS].startswith("http://127.0.0.1:")
        assert environment[TOKEN] == Path(environment[TOKEN_FILE]).read_text()
        assert oct(os.stat(environment[TOKEN_FILE]).st_mode & 0o777) == "0o600"


def test_beyond_this_machine_it_goes_by_tls_unless_it_may_in_the_clear(tmp_path: Path) -> None:
    runs = [run(tmp_path, "openai:m")]
    with Asking(tmp_path / "store.sqlite").owner(runs, "localhost") as environment:
        assert environment[ADDRESS].startswith("https://localhost:")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            with open_store(None) as store:
                assert store.models() == []
            assert "PRIVATE" not in environment[CERTIFICATE]
    with Asking(tmp_path / "store.sqlite", insecure=True).owner(runs, "head") as environment:
        assert environment[ADDRESS].startswith("http://head:")
        assert CERTIFICATE not in environment


def test_an_owner_that_is_there_already_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, "https://elsewhere:8000")
    monkeypatch.setenv(TOKEN, TOKEN_OF_MINE)
    asking = Asking(tmp_path / "store.sqlite")
    with asking.owner([run(tmp_path, "local:m")], "head") as environment:
        assert environment == {ADDRESS: "https://elsewhere:8000", TOKEN: TOKEN_OF_MINE}


def test_an_owner_that_other_machines_can_t_reach_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, "http://127.0.0.1:8000")
    monkeypatch.setenv(TOKEN, TOKEN_OF_MINE)
    asking, runs = Asking(tmp_path / "store.sqlite"), [run(tmp_path, "openai:m")]
    with asking.owner(runs, None) as environment:
        assert environment[ADDRESS] == "http://127.0.0.1:8000"
    with pytest.raises(UsageError, match="only this machine reaches"), asking.owner(runs, "head"):
        pass
