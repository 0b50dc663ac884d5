"""Answers the connections of an owner of questions: checks who asks, and does what they ask.

Whoever has the token may ask what costs money and read every answer, and nothing else: names of
files, addresses and keys are the owner's own. A question's key is computed here from its words.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import WSMsgType, web

from calm.endpoint.envelope import Reply
from calm.endpoint.faults import RowFault
from calm.errors import CalmError, UsageError
from calm.owned.address import is_token
from calm.owned.wire import (
    MAX_FRAME,
    PART,
    PATH,
    PROTOCOL,
    answer_value,
    context_value,
    dump,
    error_value,
    read_context,
    read_prompt,
    read_reading,
    read_subgoals,
    reply_value,
    subgoals_value,
    usage_value,
)
from calm.owner.models import Models, OwnedModel, OwnerOptions
from calm.owner.questions import Ask, OpenContext, Questions
from calm.records import Verdict
from calm.store.question import Context, Question
from calm.store.store import Store
from calm.store.writer import Writer
from calm.version import VERSION

log = logging.getLogger(__name__)

_HEARTBEAT = 20.0
_GATHER = 0.002  # seconds to wait for company before answers are sent
_KEY = 64  # letters of a key in hexadecimal


class Service:
    """One owner: its store, its models, its questions; `application` serves it.

    Args:
        store: opened; outlives this object.
        token: that an asker must name.
        options: how models are asked, and what it may cost.
    """

    def __init__(self, store: Store, token: str, options: OwnerOptions) -> None:
        self.store = store
        self._token = token
        self._writer = Writer(store)
        self.models = Models(store, options, self._writer)
        self.questions = Questions()
        self._sockets: set[web.WebSocketResponse] = set()
        self._askers: set[web.RequestHandler] = set()
        """The connections whose token was right."""
        self._once: dict[bytes, asyncio.Task[Reply]] = {}
        """Questions that are no judge's and are under way."""

    def application(self) -> web.Application:
        """Returns the web application."""
        app = web.Application()
        app.router.add_get(PATH, self._connect)
        app.on_shutdown.append(self._end_connections)
        return app

    async def aclose(self) -> None:
        """Ends what is under way; answers are in the store."""
        await self.questions.aclose()
        for task in self._once.values():
            task.cancel()
        await asyncio.gather(*self._once.values(), return_exceptions=True)
        await self.models.aclose()
        self._writer.close()

    async def _end_connections(self, _: web.Application) -> None:
        for socket in set(self._sockets):
            with contextlib.suppress(ConnectionError):
                await socket.close(code=1012, message=b"the owner ends")

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        offered = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not is_token(offered, self._token):
            return web.Response(status=401, text="the token is wrong\n")
        theirs, version = (request.headers.get(f"x-calm-{n}", "") for n in ("protocol", "version"))
        if theirs != PROTOCOL or version != VERSION:
            words = (
                f"it runs calm {VERSION}, and here is calm {version[:40] or 'of no version'};"
                " install the same version at both ends"
            )
            refusal = "".join(c for c in words if c.isprintable() and c.isascii())
            return web.Response(status=409, headers={"x-calm-refusal": refusal})
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=MAX_FRAME, compress=False)
        self._askers.add(request.protocol)
        try:
            await socket.prepare(request)
            await socket.send_str(dump({"owner": VERSION, "clock": time.time()}))
            self._sockets.add(socket)
            await Session(self, socket).serve()
        finally:
            self._sockets.discard(socket)
            self._askers.discard(request.protocol)
        return socket

    def drop_stranger(self, handler: web.RequestHandler) -> None:
        """Ends a connection on which nobody has named the token."""
        if handler not in self._askers:
            handler.force_close()

    # --- questions that are no judge's -----------------------------------------------------------

    async def ask_once(
        self, model: OwnedModel, context: Context, question: Question, schema: dict[str, Any] | None
    ) -> Reply:
        """Returns the reply to a question, which all who ask it meanwhile get."""
        if answer := self.store.answers([question.key]).get(question.key):
            return answer.reply
        if question.key not in self._once:
            task = asyncio.create_task(self._ask_once(model, context, question, schema))
            self._once[question.key] = task
            task.add_done_callback(lambda _: self._once.pop(question.key, None))
        return await asyncio.shield(self._once[question.key])

    async def _ask_once(
        self, model: OwnedModel, context: Context, question: Question, schema: dict[str, Any] | None
    ) -> Reply:
        endpoint = model.endpoint
        call = await endpoint.ask(
            question.text,
            context.params,
            schema=schema,
            on_failure=lambda call: self.store.record(
                context, call.endpoint or endpoint.address, call
            ),
        )
        self.store.record(context, call.endpoint or endpoint.address, call, [question])
        assert call.reply is not None
        return call.reply


class Session:
    """One asker's connection."""

    def __init__(self, service: Service, socket: web.WebSocketResponse) -> None:
        self._service = service
        self._store = service.store
        self._socket = socket
        self._opened: dict[int, OpenContext] = {}
        self._asks: dict[int, Ask] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Answers frames until the connection ends."""
        try:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                frame = json.loads(message.data)
                if frame["do"] in ("open", "prompt", "look_up"):  # later frames build on the first
                    await self._answer(frame)
                elif frame["do"] == "cancel":
                    if task := self._tasks.get(frame["request"]):
                        task.cancel()
                else:
                    self._begin(frame)
        except (ValueError, TypeError, KeyError, RecursionError):
            await self._socket.close(code=1003, message=b"that is no frame of an asker")
        finally:
            for task in list(self._tasks.values()):
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self, frame: dict[str, Any]) -> None:
        """Answers a frame beside others."""
        number = frame["id"]
        task = asyncio.create_task(self._answer(frame))
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))

    async def _answer(self, frame: dict[str, Any]) -> None:
        number = frame["id"]
        try:
            value = await self._do(frame)
        except (CalmError, RowFault) as error:
            value = dump({"id": number, "error": error_value(error)})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            refusal = UsageError(f"the owner can't read a request ({frame['do']}): {error!r}")
            value = dump({"id": number, "error": error_value(refusal)})
        except Exception as error:
            log.exception("an owner failed over %s", frame["do"])
            value = dump({"id": number, "error": error_value(error)})
        await self._send(value)

    async def _send(self, text: str) -> None:
        with contextlib.suppress(ConnectionError):  # whoever asked is gone
            await self._socket.send_str(text)

    async def _do(self, frame: dict[str, Any]) -> str:
        """Returns the frame that answers another."""
        do, number = frame["do"], frame["id"]
        if do in ("look_up", "stored"):
            opened = self._opened_context(frame)
            keys = frame["keys"]
            listed = [bytes.fromhex(keys[i : i + _KEY]) for i in range(0, len(keys), _KEY)]
            again = do == "look_up"
            texts = await self._service.questions.look_up(opened, listed, again=again)
            *parts, last = _portions(texts)
            for part in parts:
                await self._send(f'{{"id":{int(number)},"part":[{",".join(part)}]}}')
            return f'{{"id":{int(number)},"value":[{",".join(last)}]}}'
        if do == "ask":
            return await self._ask(frame)
        if do == "open":
            value: Any = await self._open(frame)
        elif do == "prompt":
            self._opened_context(frame).open_prompt(read_prompt(frame["of"]))
            value = True
        elif do == "model":
            value = (await self._service.models.model(frame["spec"])).describe()
        elif do == "ask_once":
            value = await self._ask_once(frame)
        elif do in _STORE:
            value = _STORE[do](self._store, frame)
        else:
            raise UsageError(f"an owner does not do {do!r}")
        return dump({"id": number, "value": value})

    def _opened_context(self, frame: dict[str, Any]) -> OpenContext:
        opened = self._opened.get(frame["context"])
        if opened is None:
            raise UsageError("questions of a context that was not opened on this connection")
        return opened

    async def _open(self, frame: dict[str, Any]) -> bool:
        model = await self._service.models.model(frame["spec"])
        context = read_context(frame["of"])
        if context.model != model.name or context.kind != "judge":
            raise UsageError(f"questions to {context.model} can't be put to {model.name}")
        again = [Verdict(verdict) for verdict in frame["again"]]
        per_request = int(frame["per_request"])
        if per_request < 1:
            raise UsageError("at least one question stands in a request")
        model.count_before(context)
        asker = model.asker(per_request, bool(frame["repair"]), again)
        self._opened[int(frame["context"])] = OpenContext(model, context, asker)
        return True

    async def _ask(self, frame: dict[str, Any]) -> str:
        """Has questions asked, sends answers as they come, and returns the frame with the last."""
        opened, number = self._opened_context(frame), int(frame["id"])
        context, questions = opened.context, {}
        for text, sample in frame["questions"]:
            key = context.key(text, int(sample))
            questions[key] = Question(key, text, int(sample))
        ask = Ask(self)
        self._service.questions.ask(ask, opened, list(questions.values()))
        try:
            while ask.waiting:
                await ask.news.wait()
                ask.news.clear()  # first: what comes from here on is news again
                await asyncio.sleep(_GATHER)
                if ask.error is not None:
                    raise ask.error
                if ask.waiting:
                    await self._send_parts(number, _parts(ask))
        except CalmError as error:
            await self._send_parts(number, _parts(ask))
            raise error
        finally:
            ask.ended = True
        *parts, last = _parts(ask)
        await self._send_parts(number, parts)
        return f'{{"id":{number},"value":{last}}}'

    async def _send_parts(self, number: int, parts: Sequence[str]) -> None:
        for part in parts:
            await self._send(f'{{"id":{number},"part":{part}}}')

    async def _ask_once(self, frame: dict[str, Any]) -> Any:
        model = await self._service.models.model(frame["spec"])
        context = read_context(frame["context"])
        if context.model != model.name or context.kind == "judge":
            raise UsageError(f"a question to {context.model} can't be put to {model.name}")
        text, sample = frame["text"], int(frame["sample"])
        question = Question(context.key(text, sample), text, sample)
        reply = await self._service.ask_once(model, context, question, frame["schema"])
        return reply_value(reply)


def _parts(ask: Ask) -> list[str]:
    """Returns the answers that have come to an ask since the last time, as JSON: one part, or more
    where one frame would not hold them."""
    answers, ask.answers = ask.answers, []
    failures, cut = dict(ask.failures), ask.cut_prompts
    ask.failures.clear()
    ask.cut_prompts = 0
    *before, last = _portions([f"[{text},{paid}]" for text, paid in answers])
    counts = f'"failures":{dump(failures)},"cut_prompts":{cut}'
    parts = [f'{{"answers":[{",".join(some)}]}}' for some in before]
    return [*parts, f'{{"answers":[{",".join(last)}],{counts}}}']


def _portions(texts: Sequence[str]) -> list[list[str]]:
    """Returns texts in portions that a frame holds each; one that is empty, if there are none."""
    portions: list[list[str]] = [[]]
    size = 0
    for text in texts:
        size += len(text)
        if size > PART and portions[-1]:
            portions.append([])
            size = len(text)
        portions[-1].append(text)
    return portions


def _answers(store: Store, frame: dict[str, Any]) -> Any:
    found = store.answers([bytes.fromhex(key) for key in frame["keys"]])
    return [[key.hex(), answer_value(answer)] for key, answer in found.items()]


def _fullest(store: Store, frame: dict[str, Any]) -> Any:
    context = store.fullest_context(
        frame["task"],
        read_subgoals(frame["subgoals"]),
        frame["model"],
        frame["mode"],
        frame["templates"],
    )
    return None if context is None else context_value(context)


def _store_verdicts(store: Store, frame: dict[str, Any]) -> bool:
    store.store_verdicts(read_reading(value) for value in frame["readings"])
    return True


def _subgoal_sets(store: Store, frame: dict[str, Any]) -> Any:
    lists = store.subgoal_sets(frame["task"])
    return [[name, subgoals_value(subgoals)] for name, subgoals in lists.items()]


_STORE: dict[str, Callable[[Store, dict[str, Any]], Any]] = {
    "answers": _answers,
    "store_verdicts": _store_verdicts,
    "models": lambda store, frame: store.models(),
    "never_met": lambda store, frame: store.never_met(frame["least"]),
    "samples": lambda store, frame: store.samples(read_context(frame["context"])),
    "fullest_context": _fullest,
    "answered_calls": lambda store, frame: store.answered_calls(frame["model"]),
    "paid": lambda store, frame: usage_value(store.paid(read_context(frame["context"]))),
    "card": lambda store, frame: store.card(frame["endpoint"], frame["model"]),
    "keep_subgoals": lambda store, frame: store.keep_subgoals(
        frame["task"], read_subgoals(frame["subgoals"]), frame["source"]
    ),
    "subgoal_sets": _subgoal_sets,
}
"""What is done with the store, by its name on the wire."""
