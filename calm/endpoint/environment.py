"""What the environment says about the way to an endpoint: the key, a proxy, certificates.

What can't be used is refused by the variable's name, with what to do about it, before anything is
sent. Proxies and certificates are looked up here, so that all HTTP clients do the same.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from calm.errors import UsageError


def read_key(variable: str) -> str:
    """Returns the key in an environment variable, "" if there is none.

    White space around it is left out: a key that was read from a file ends with a newline.

    Raises:
        UsageError: it holds a newline, a space or other characters that no key has.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            f"the key in {variable} holds a newline, a space or other characters that no key has;"
            " set it to the key alone, on one line"
        )
    return key


def proxy_for(url: str) -> str | None:
    """Returns the proxy through which an address is reached, None where it is reached directly.

    `http_proxy` or `https_proxy` (by the address), else `all_proxy`, in small or large letters,
    unless `no_proxy` names the host: `*`, a name with all names below it, an IP address, a network
    such as 127.0.0.0/8, each with a port where wanted.

    Raises:
        UsageError: the variable names no HTTP proxy.
    """
    parts = urlsplit(url)
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        variable = name if name in os.environ else name.upper()
        value = os.environ.get(variable, "").strip()
        if not value:
            continue
        if _goes_around(parts.hostname or "", parts.port):
            return None
        proxy = value if "://" in value else f"http://{value}"
        try:
            parts_of_proxy = urlsplit(proxy)
            usable = (
                parts_of_proxy.scheme in ("http", "https")
                and parts_of_proxy.hostname
                and parts_of_proxy.port != 0  # a ValueError where it is out of range
                and httpx2.Proxy(proxy)
            )
        except (ValueError, httpx2.InvalidURL):
            usable = False
        if not usable:
            kind = proxy.partition("://")[0]
            raise UsageError(
                f"{variable} names a proxy that can't be used ({kind}://...): set it to an address"
                f" such as http://HOST:PORT, unset it, or add {parts.hostname} to NO_PROXY"
            )
        return proxy
    return None


def _goes_around(host: str, port: int | None) -> bool:
    """Returns whether `no_proxy` names the host."""
    value = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    for entry in filter(None, (e.strip().lower() for e in value.split(","))):
        if entry == "*":
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False):
                return True
            continue
        except ValueError:
            pass  # one of the two is a name
        name, _, number = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if number and number != str(port):
            continue
        name = name.removeprefix("*").lstrip(".")
        if host.lower() == name or host.lower().endswith(f".{name}"):
            return True
    return False


def certificates() -> ssl.SSLContext:
    """Returns how servers' certificates are checked: by `SSL_CERT_FILE` and `SSL_CERT_DIR` if set.

    Raises:
        UsageError: the variable names no file of certificates.
    """
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        value = os.environ.get(variable, "").strip()
        if not value:
            continue
        try:
            if not Path(value).exists():
                raise FileNotFoundError("there is none")
            if variable == "SSL_CERT_FILE":
                return ssl.create_default_context(cafile=value)
            return ssl.create_default_context(capath=value)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"{variable} names {value}, which can't be used ({error}): set it to certificates"
                " in PEM form, or unset it"
            ) from None
    return httpx2.create_ssl_context(trust_env=False)
