"""A certificate made for an owner: kept, private, trusted alone by whoever is given it."""

import gc
from pathlib import Path

import pytest

from calm.errors import EndpointError, UsageError
from calm.owned.address import CERTIFICATE, OwnerAddress, certificate_of_environment
from calm.owned.connection import OwnerConnection
from calm.owner.certificate import certificate_beside
from calm.owner.running import Listening, start_owner


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_owner_is_reached_by_the_certificate_made_for_its_host(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate_beside(tmp_path / "new" / "s.sqlite", host)
    assert (key.stat().st_mode & 0o777, cert.parent) == (0o600, tmp_path / "new")
    assert certificate_beside(tmp_path / "new" / "s.sqlite", host) == (cert, key)
    other, _ = certificate_beside(tmp_path / "other.sqlite", host)
    assert other.read_text() != cert.read_text()
    listening = Listening(cert=cert, key=key)
    with start_owner(tmp_path / "s.sqlite", listening=listening) as owner:
        url = f"https://{host}:{owner.url.rpartition(':')[2]}"
        for text, is_trusted in ((cert.read_text(), True), (other.read_text(), False)):
            monkeypatch.setenv(CERTIFICATE, text)
            asker = OwnerConnection(OwnerAddress(url, owner.token))
            if is_trusted:
                assert asker.call("models") == []
            else:
                with pytest.raises(EndpointError, match="is not trusted"):
                    asker.call("models")
            asker.close()
    del asker, owner
    gc.collect()  # a connection that was left open is told here, and fails this test


def test_what_is_no_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CERTIFICATE, "nonsense")
    with pytest.raises(UsageError, match="PEM text"):
        certificate_of_environment()


def test_without_openssl_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"no `openssl` here.*calm owner serve.*--cert and --key"):
        certificate_beside(tmp_path / "s.sqlite", "head")
