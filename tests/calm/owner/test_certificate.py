"""A certificate made for an owner: kept, private, trusted alone by whoever is given it."""

import gc
import subprocess
import time
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


def test_clocks_that_differ_do_not_part_an_asker_from_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate is valid from when it was made, by the clock of the owner's machine.

    Here it is the asker's that is a second ahead of one that is no longer valid.
    """
    key, request, cert = (tmp_path / name for name in ("key.pem", "request.pem", "cert.pem"))
    make = ["openssl", "req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    make += ["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*make, "-keyout", key, "-out", request], check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", "0"]
    sign += ["-copy_extensions", "copy", "-out", cert]
    subprocess.run(sign, check=True, capture_output=True)
    time.sleep(2)
    monkeypatch.setenv(CERTIFICATE, cert.read_text())
    with start_owner(tmp_path / "s.sqlite", listening=Listening(cert=cert, key=key)) as owner:
        asker = OwnerConnection(OwnerAddress(owner.url, owner.token))
        assert asker.call("models") == []
        asker.close()
    del asker, owner
    gc.collect()


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
