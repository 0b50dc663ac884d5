"""Where an owner of questions is, and the token that it wants: as the environment says."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from calm.endpoint.environment import certificates
from calm.errors import UsageError
from calm.files import write_file

ADDRESS, TOKEN, TOKEN_FILE = "CALM_OWNER", "CALM_OWNER_TOKEN", "CALM_OWNER_TOKEN_FILE"
"""Environment variables of whoever asks."""
CERTIFICATE = "CALM_OWNER_CERT"
"""Environment variable: the owner's certificate, as PEM text; then no other is trusted there."""
_SHORTEST = 16


@dataclass(frozen=True)
class OwnerAddress:
    """An owner's address, and the token to name there."""

    url: str
    """`http://HOST:PORT` or `https://HOST:PORT`."""
    token: str = field(repr=False)


def owner_of_environment() -> OwnerAddress | None:
    """Returns the owner that the environment names; None where it names none.

    Raises:
        UsageError: the address is none, or there is no token that could be used.
    """
    url = os.environ.get(ADDRESS, "").strip().rstrip("/")
    if not url:
        return None
    check_address(url)
    token = os.environ.get(TOKEN, "").strip()
    if token:
        return OwnerAddress(url, check_token(token, TOKEN))
    file = os.environ.get(TOKEN_FILE, "").strip()
    if not file:
        raise UsageError(
            f"{ADDRESS} names the owner {url}, and no token is named: set {TOKEN_FILE} to the file"
            f" that `calm owner serve` wrote, or {TOKEN} to what is in it"
        )
    return OwnerAddress(url, read_token(Path(file), TOKEN_FILE))


def refuse_owner(command: str) -> None:
    """Raises UsageError where the environment names an owner, for what has to ask by itself.

    Args:
        command: that has to, for the message.
    """
    if url := os.environ.get(ADDRESS, "").strip():
        raise UsageError(
            f"`{command}` measures an endpoint, so it asks by itself, and {ADDRESS} says that"
            f" the owner at {url} asks for all; run it without: env -u {ADDRESS} {command} ..."
        )


_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python gives no name."""


def certificate_of_environment() -> ssl.SSLContext:
    """Returns how the owner's certificate is checked: by the one named, else as any server's.

    Raises:
        UsageError: what is named is no certificate.
    """
    text = os.environ.get(CERTIFICATE, "").strip()
    if not text:
        return certificates()
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=text)
        # It is trusted for being that very one; a clock that runs behind would take one that was
        # just made for not yet valid.
        context.verify_flags |= _NO_CHECK_TIME
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(f"{CERTIFICATE} is to hold a certificate as PEM text: {error}") from None
    return context


def check_address(url: str) -> None:
    """Raises UsageError where an address is no `http://HOST:PORT` or `https://HOST:PORT`."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port
        good = good and not parts.path.strip("/") and not parts.username
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"{ADDRESS} is to be http://HOST:PORT or https://HOST:PORT, not {url!r}")


def read_token(path: Path, named_by: str) -> str:
    """Returns the token in a file.

    Args:
        named_by: the variable or option that names the file, for errors.

    Raises:
        UsageError: it can't be read, holds no token, or others can read it.
    """
    try:
        text = path.read_text("utf-8").strip()
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{named_by}: can't read the token in {path}: {error}") from None
    if mode & 0o077:
        raise UsageError(
            f"{named_by}: others can read the token in {path}; run `chmod 600 {path}`, and if it"
            " was read by someone, remove it and start the owner again"
        )
    return check_token(text, f"{named_by}: {path}")


def token_beside(store: Path) -> tuple[str, Path]:
    """Returns the token kept beside a store, made if need be, and its file.

    The file is for its owner alone to read; a token that stays lets askers find an owner that was
    started again.

    Raises:
        UsageError: it can't be written, or holds no token.
    """
    path = store.with_name(f"{store.name}.owner-token")
    if not path.exists():
        write_file(path, secrets.token_urlsafe(32), private=True)
    return read_token(path, "the owner's token"), path


def is_token(offered: str, token: str) -> bool:
    """Returns whether a token is the right one, in a time that tells nothing of it."""
    return hmac.compare_digest(offered.encode("utf-8", "replace"), token.encode())


def is_loopback(host: str) -> bool:
    """Returns whether a host to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_token(token: str, source: str) -> str:
    """Returns a token.

    Args:
        source: where it stood, for errors.

    Raises:
        UsageError: it is too short to be one, or holds what no header takes.
    """
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"{source} holds no token of an owner; one is made by `calm owner serve`, in the file"
            " that it names"
        )
    return token
