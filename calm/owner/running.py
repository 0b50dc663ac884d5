"""Starts an owner of questions in a thread of this process, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from aiohttp import web

from calm.endpoint.loop_thread import LoopThread
from calm.errors import StoreError, UsageError
from calm.files import write_file
from calm.owned.address import ADDRESS, TOKEN, check_token, is_loopback, token_beside
from calm.owned.connection import TLS_GOODBYE
from calm.owner.models import OwnerOptions
from calm.owner.service import Service
from calm.store.store import Store

STRANGER_SECONDS = 30.0
"""That a connection may take to name the token; one that does not would hold its place for ever."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where an owner listens, and by what right."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes the one that this store's owner had before, else a free one."""
    cert: Path | None = None
    """PEM file of the certificate; beyond this machine one is needed, with its key."""
    key: Path | None = None
    insecure: bool = False
    """Whether token and answers may cross a network in the clear."""


@dataclass(eq=False)
class RunningOwner:
    """An owner that runs in this process; a context manager that ends it."""

    url: str
    """For `CALM_OWNER`."""
    token: str = field(repr=False)
    token_file: Path | None
    """For `CALM_OWNER_TOKEN_FILE`; None for a store in memory."""
    service: Service
    _thread: LoopThread
    _runner: web.AppRunner
    _closing: contextlib.ExitStack

    @property
    def environment(self) -> dict[str, str]:
        """Returns the variables by which a process asks through this owner, token included."""
        return {ADDRESS: self.url, TOKEN: self.token}

    def close(self) -> None:
        """Ends it: answers that were paid for are in the store; askers wait for another owner."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_owner(
    store: Path | str | None,
    *,
    options: OwnerOptions | None = None,
    listening: Listening | None = None,
    token: str | None = None,
) -> RunningOwner:
    """Starts an owner of a store's questions; returns it once it answers.

    Args:
        store: file of the store, made if missing; None for one in memory.
        options: how models are asked, and what all of it may cost; None for the usual.
        listening: host and port, certificate; None for a port on this machine's loopback.
        token: that askers must name; None takes the one beside the store, made if missing.

    Raises:
        UsageError: the address can't be listened at, or only in the clear; another owner has the
            store. StoreError: the store can't be opened.
    """
    listening, options = listening or Listening(), options or OwnerOptions()
    check_listening(listening)
    path = None if store is None else Path(store)
    if token is not None:
        check_token(token, "the owner's token")
    with contextlib.ExitStack() as closing:
        token_file = None
        if path is not None:
            closing.enter_context(_held(path))
        opened = closing.enter_context(Store(path))
        if token is None:
            if path is None:
                raise UsageError("an owner of a store in memory needs a token")
            token, token_file = token_beside(path)
        listener = closing.enter_context(_listener(path, listening))
        thread = LoopThread()
        closing.callback(thread.close)

        async def start() -> tuple[Service, web.AppRunner, asyncio.Server]:
            service = Service(opened, token or "", options)
            runner = web.AppRunner(service.application(), access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            loop, handlers = asyncio.get_running_loop(), runner.server
            assert handlers is not None

            def take_connection() -> web.RequestHandler:
                handler = handlers()
                loop.call_later(STRANGER_SECONDS, service.drop_stranger, handler)
                return handler

            listening_at = await loop.create_server(
                take_connection, sock=listener, ssl=_tls(listening), backlog=1024
            )
            return service, runner, listening_at

        service, runner, listening_at = thread.run(start())

        async def stop() -> None:
            listening_at.close()
            await runner.cleanup()
            await service.aclose()
            if listening.cert is not None:
                await asyncio.sleep(TLS_GOODBYE)

        closing.callback(lambda: thread.run(stop()))
        port = listener.getsockname()[1]
        url = f"{'https' if listening.cert else 'http'}://{_shown(listening.host)}:{port}"
        if path is not None:
            write_file(_state(path), json.dumps({"url": url, "port": port, "pid": os.getpid()}))
        return RunningOwner(url, token, token_file, service, thread, runner, closing.pop_all())


def check_listening(listening: Listening) -> None:
    """Raises UsageError where token and answers would cross a network in the clear unasked."""
    if (listening.cert is None) != (listening.key is None):
        raise UsageError("--cert and --key go together: the certificate, and its private key")
    if listening.cert is None and not is_loopback(listening.host) and not listening.insecure:
        raise UsageError(
            f"{listening.host} can be reached from other machines, and without TLS whoever is on"
            " the way reads the token: give --cert and --key, or, on a network that you trust,"
            " --insecure"
        )
    _tls(listening)


def _tls(listening: Listening) -> ssl.SSLContext | None:
    if listening.cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(listening.cert, listening.key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"the certificate {listening.cert} and key {listening.key} can't be used: {error}"
        ) from None
    return context


def _state(store: Path) -> Path:
    store = store.resolve()  # one store has one owner, whatever link leads to it
    return store.with_name(f"{store.name}.owner.json")


@contextlib.contextmanager
def _held(store: Path) -> Iterator[None]:
    """Keeps others from owning the same store while it is entered; freed by death as well."""
    lock = store.resolve().with_name(f"{store.resolve().name}.owner.lock")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        opened = lock.open("w")
    except OSError as error:
        raise StoreError(
            f"no owner can hold the store {store}: {lock} can't be written ({error.strerror}); name"
            " a store in another folder"
        ) from None
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            at = _last(store).get("url", "an address that it has not written yet")
            raise UsageError(f"{store} has an owner already, at {at}") from None
        yield


def _last(store: Path) -> dict[str, object]:
    """Returns what the last owner of a store wrote about itself; {} if nothing."""
    try:
        value = json.loads(_state(store).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _listener(store: Path | None, listening: Listening) -> socket.socket:
    """Returns a socket bound to the port that is wanted, or to the one of before, or a free one."""
    ports = [listening.port]
    if not listening.port and store is not None:
        port = _last(store).get("port")
        ports = [port, 0] if isinstance(port, int) and 0 < port < 65536 else [0]
    problem: OSError | None = None
    for port in ports:
        try:
            family = socket.getaddrinfo(listening.host, port, type=socket.SOCK_STREAM)[0][0]
            listener = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            problem = error
            continue
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((listening.host, port))
            return listener
        except OSError as error:
            listener.close()
            problem = error
    raise UsageError(f"can't listen at {listening.host}, port {ports[0]}: {problem}; name another")


def _shown(host: str) -> str:
    """Returns the host as askers name it: this machine's name where it listens everywhere."""
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
