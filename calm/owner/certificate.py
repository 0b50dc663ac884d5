"""Makes a certificate for an owner of questions that other machines reach, by `openssl`.

It is signed by itself: askers are given it, and trust no other at the owner's address.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
from pathlib import Path

from calm.errors import CalmError, UsageError

_DAYS = 3650
_SECONDS = 60


def certificate_beside(store: Path, host: str) -> tuple[Path, Path]:
    """Returns a certificate kept beside a store, made if need be, and its private key.

    Askers that were given it find an owner that was started again.

    Args:
        store: file of the store; its folder is made if need be.
        host: name or address at which the owner is reached.

    Raises:
        UsageError: there is no `openssl` here. CalmError: it can't make one.
    """
    name = "".join(c if c.isalnum() or c in ".-" else "-" for c in host)
    cert = store.with_name(f"{store.name}.owner-{name}.cert.pem")
    key = cert.with_name(f"{store.name}.owner-{name}.key.pem")
    if cert.exists() and key.exists():
        return cert, key
    store.parent.mkdir(parents=True, exist_ok=True)
    try:
        ipaddress.ip_address(host)
        subject = f"IP:{host}"
    except ValueError:
        subject = f"DNS:{host}"
    partial = cert.with_name(f"{cert.name}.{os.getpid()}")
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-days", str(_DAYS)]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=calm owner"]
    command += ["-addext", f"subjectAltName={subject}", "-keyout", str(key), "-out", str(partial)]
    try:
        key.touch(mode=0o600)
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
        partial.replace(cert)
    except FileNotFoundError:
        raise UsageError(
            "there is no `openssl` here to make the owner's certificate with; install it, or start"
            " `calm owner serve` with a --cert and --key of your own"
        ) from None
    except (OSError, subprocess.SubprocessError) as error:
        words = getattr(error, "stderr", None) or error
        raise CalmError(f"no certificate for {host} could be made: {words}") from None
    return cert, key
