"""The labelling page's web application: one annotator, one list of transitions, this machine only.

What guards it: it listens on loopback alone; the address holds a token; a request must name this
host (against DNS rebinding) and, if it writes, come from this very page; the content-security
policy allows nothing from elsewhere and no inline script; all game text is escaped by the
template. The page never holds the engine's truth or a judge's answer: the annotator is blind.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from calm.records import Task
from data.label.store import LabelStore
from data.schema import Label, LabelledTransition
from data.screen.view import HERE as SCREEN
from data.screen.view import screen_views

HERE = Path(__file__).parent

KEYS = "123456789abcdefghijklopqrstvwxy"
"""One key a subgoal, in order; without those of the other answers (m, n, u, z)."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_STATIC = {
    "label.js": (HERE / "static", "text/javascript"),
    "label.css": (HERE / "static", "text/css"),
    "screen.css": (SCREEN, "text/css"),
}
"""What is served besides pages: its folder and type."""
_MAX_BODY = 64 * 1024

_templates = Environment(
    loader=FileSystemLoader([HERE / "templates", SCREEN]),
    autoescape=True,
    undefined=StrictUndefined,
)


@dataclass
class Session:
    """What one annotator labels, in an order of their own that tells nothing."""

    annotator: str
    rows: Sequence[LabelledTransition]
    tasks: Mapping[str, Task]
    store: LabelStore
    order: list[LabelledTransition] = field(init=False)

    def __post_init__(self) -> None:
        unique = {r.transition.id: r for r in self.rows}
        self.order = sorted(
            unique.values(),
            key=lambda r: hashlib.sha256(f"{self.annotator}\n{r.transition.id}".encode()).digest(),
        )
        self.by_id = unique

    def done(self) -> set[str]:
        """Ids this annotator has answered."""
        return {label.id for label in self.store.labels(self.annotator)} & self.by_id.keys()

    def next(self) -> LabelledTransition | None:
        """The first transition without an answer."""
        done = self.done()
        return next((r for r in self.order if r.transition.id not in done), None)

    def view(self, row: LabelledTransition | None) -> dict[str, Any]:
        """What the template shows of a transition: never its truth, its player or its episode."""
        done = len(self.done())
        shared = {"annotator": self.annotator, "done": done, "total": len(self.order)}
        if row is None:
            return shared | {"id": None}
        t, task = row.transition, self.tasks[row.transition.task]
        screens = screen_views(row)
        text = next((t.texts[m] for m in ("screen", "crop", "events") if m in t.texts), "")
        ended = "died or reached its goal" if t.terminated else "ran out of time"
        return shared | {
            "id": t.id,
            "task": task.id,
            "goal": task.goal,
            "action": t.action,
            "ended": ended if t.terminated or t.truncated else "",
            "before": screens[0] if screens else None,
            "after": screens[1] if screens else None,
            "text": None if screens else text,
            "subgoals": list(zip(KEYS, task.subgoals, strict=False)),
            "nonce": secrets.token_urlsafe(12),
        }


def application(session: Session, token: str, port: int) -> Starlette:
    """The web application; every path starts with the token."""
    base = f"/{token}"

    async def page(request: Request) -> Response:
        row = session.by_id.get(request.query_params.get("id", "")) or session.next()
        return _html("page.html", base=base, **session.view(row))

    async def guide(request: Request) -> Response:
        subgoals = {s.name: s.definition for t in session.tasks.values() for s in t.subgoals}
        return _html("guide.html", base=base, subgoals=subgoals)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return PlainTextResponse("no such file", 404)
        folder, kind = _STATIC[name]
        return Response((folder / name).read_bytes(), media_type=kind)

    async def label(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        row = session.by_id.get(form.get("id", [""])[0])
        if row is None:
            return PlainTextResponse("no such transition", 404)
        asked = tuple(s.name for s in session.tasks[row.transition.task].subgoals)
        answer = set(form.get("answer", []))
        kinds = [answer <= set(asked) and bool(answer), answer == {":none"}, answer == {":unsure"}]
        nonce = form.get("nonce", [""])[0]
        if not any(kinds) or not nonce:
            return PlainTextResponse("an answer is a subgoal, several, none or unsure", 400)
        try:
            seconds = min(max(float(form.get("seconds", ["0"])[0]), 0.0), 86400.0)
        except ValueError:
            seconds = 0.0
        session.store.add(
            Label(
                row.transition.id,
                session.annotator,
                tuple(name for name in asked if name in answer),
                asked,
                kinds[2],
                round(seconds, 2),
                datetime.now(UTC).isoformat(timespec="seconds"),
            ),
            nonce,
        )
        return _next(request, session.next())

    async def undo(request: Request) -> Response:
        id = session.store.undo(session.annotator)
        return _next(request, session.by_id.get(id or "") or session.next())

    def _next(request: Request, row: LabelledTransition | None) -> Response:
        if request.headers.get("x-part") == "main":
            return _html("main.html", base=base, **session.view(row))
        where = f"{base}/?id={row.transition.id}" if row else f"{base}/"
        return RedirectResponse(where, 303)

    routes = [
        Route(f"{base}/", page, methods=["GET"]),
        Route(f"{base}/guide", guide, methods=["GET"]),
        Route(f"{base}/static/{{name}}", static, methods=["GET"]),
        Route(f"{base}/label", label, methods=["POST"]),
        Route(f"{base}/undo", undo, methods=["POST"]),
    ]
    return Starlette(
        routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=_guard(port))]
    )


def _guard(
    port: int,
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = _refusal(request, hosts) or await answer(request)
        response.headers.update(HEADERS)
        return response

    return guard


def _refusal(request: Request, hosts: set[str]) -> Response | None:
    """Why a request is not answered, or None."""
    host = request.headers.get("host", "")
    if host not in hosts:
        return PlainTextResponse("this page answers to 127.0.0.1 alone", 403)
    if request.method == "POST":
        if request.headers.get("origin") != f"http://{host}":
            return PlainTextResponse("labels are taken from this page alone", 403)
        size = request.headers.get("content-length", "")
        if not size.isdigit() or int(size) > _MAX_BODY:
            return PlainTextResponse("too much for a label", 413)
    return None


def _html(template: str, **values: object) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(**values))
