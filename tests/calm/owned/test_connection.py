"""An owner that drops connections or answers nonsense: whoever asks is told, and never hangs."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import ClientTimeout, WSCloseCode, web

from calm.endpoint.loop_thread import LoopThread
from calm.errors import EndpointError
from calm.judges import make_judge
from calm.owned.address import OwnerAddress
from calm.owned.client import OwnerStore
from calm.owned.connection import OwnerConnection, connection_to
from calm.owned.wire import PATH, dump
from calm.records import Task, Transition

TOKEN = "a-token-that-is-long-enough"
GREETING = dump({"owner": "0", "clock": 0})
Answer = Callable[[web.WebSocketResponse, dict[str, Any]], Any]


@contextmanager
def owner_that(answer: Answer, greeting: str = GREETING) -> Iterator[str]:
    """Runs what takes connections as an owner does, and yields its address.

    Args:
        answer: a coroutine function, called with the connection and each frame of the asker.
    """
    thread = LoopThread()

    async def connect(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(greeting)
        async for message in socket:
            await answer(socket, json.loads(message.data))
        return socket

    async def start() -> tuple[web.AppRunner, int]:
        app = web.Application()
        app.router.add_get(PATH, connect)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, runner.addresses[0][1]

    runner, port = thread.run(start())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        thread.run(runner.cleanup())
        thread.close()


def asker_of(url: str) -> tuple[OwnerConnection, list[str]]:
    lines: list[str] = []
    return OwnerConnection(OwnerAddress(url, TOKEN), say=lines.append, patience=0.5), lines


async def drop(socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
    await socket.close()


def test_an_owner_that_takes_connections_and_drops_them_is_away() -> None:
    with owner_that(drop) as url:
        asker, lines = asker_of(url)
        with pytest.raises(EndpointError, match=r"it closed the connection.*calm owner serve"):
            asker.call("models")
        asker.close()
    assert len(lines) < 9


@pytest.mark.parametrize(
    ("code", "words"),
    [(WSCloseCode.MESSAGE_TOO_BIG, "too long"), (WSCloseCode.UNSUPPORTED_DATA, "none of an owner")],
)
def test_a_message_that_ends_the_connection_is_not_sent_for_ever(
    code: WSCloseCode, words: str
) -> None:
    calls: list[int] = []

    async def refuse(socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        calls.append(frame["id"])
        await socket.close(code=code)

    with owner_that(refuse) as url:
        asker, _ = asker_of(url)
        with pytest.raises(EndpointError, match=words):
            asker.call("models")
        asker.close()
    assert len(calls) == 1


@pytest.mark.parametrize("greeting", ["[", "7", '{"clock": "noon"}', "[" * 200_000])
def test_a_greeting_that_is_none_is_told(greeting: str) -> None:
    with owner_that(drop, greeting) as url:
        asker, _ = asker_of(url)
        with pytest.raises(EndpointError, match=url):
            asker.call("models")
        asker.close()


@pytest.mark.parametrize("value", ["3", "[[1, 2]]", '{"a": 1}', "null"])
def test_values_that_are_no_answers_are_told(value: str) -> None:
    async def answer(socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        await socket.send_str(f'{{"id": {frame["id"]}, "value": {value}}}')

    with owner_that(answer) as url:
        asker, _ = asker_of(url)
        with pytest.raises(EndpointError, match="can't be read"):
            OwnerStore(asker).answers([b"k" * 32])
        asker.close()


MODEL = {"model": "m", "address": "http://e/v1", "card": {}, "cap": 4, "price": None}
NOBODYS = ["00" * 32, "ok", [1, 1], None, "{}", "", [1, 1, 0, 1, 0.1, None]]


@pytest.mark.parametrize(
    ("do", "value", "words"),
    [
        ("model", {"model": "m"}, "can't be read"),
        ("look_up", [["key"]], "can't be read"),
        ("look_up", [NOBODYS], "another question"),
        ("ask", {"answers": [[NOBODYS, 1]]}, "another question"),
        ("ask", {"answers": 7}, "can't be read"),
        ("ask", {"answers": []}, "left 3 of 3 questions without an answer"),
    ],
)
@pytest.mark.parametrize("in_part", [False, True])
def test_answers_that_are_none_are_told_to_whoever_asks(
    in_part: bool,
    do: str,
    value: object,
    words: str,
    task: Task,
    transitions: list[Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = {"model": MODEL, "look_up": [], "open": True, "prompt": True, "ask": {"answers": []}}

    async def answer(socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        number, asked = frame["id"], frame["do"]
        if asked == do and in_part and do != "model":
            await socket.send_str(dump({"id": number, "part": value}))
        elif asked == do:
            await socket.send_str(dump({"id": number, "value": value}))
            return
        await socket.send_str(dump({"id": number, "value": good.get(asked)}))

    with owner_that(answer) as url:
        monkeypatch.setenv("CALM_OWNER", url)
        monkeypatch.setenv("CALM_OWNER_TOKEN", TOKEN)
        with pytest.raises(EndpointError, match=words):
            make_judge("openai:m").judge(task, task.subgoals, transitions[:3])
        connection_to(OwnerAddress(url, TOKEN)).close()


def test_a_handshake_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    thread = LoopThread()
    server = thread.run(asyncio.start_server(idle, "127.0.0.1", 0))
    monkeypatch.setattr("calm.owned.connection._HANDSHAKE", ClientTimeout(total=0.2))
    asker, _ = asker_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(EndpointError, match="no owner of questions has answered"):
        asker.call("models")
    asker.close()
    server.close()
    thread.close()
