"""The labelling page's web application: one annotator, one list of transitions, this machine only.

What guards it: it listens on loopback alone; the address holds a token; `data.local_page.guard`
refuses what comes from elsewhere; all game text is escaped by the template. The page never holds
the engine's truth or a judge's answer: the annotator is blind.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from calm.records import LabelledTransition
from data.label.form import read_answer, read_undo
from data.label.session import Session
from data.label.store import AnsweredElsewhere
from data.local_page.guard import guarded
from data.screen.view import HERE as SCREEN

HERE = Path(__file__).parent

_STATIC = {
    "choose.js": (HERE / "static", "text/javascript"),
    "label.js": (HERE / "static", "text/javascript"),
    "label.css": (HERE / "static", "text/css"),
    "screen.css": (SCREEN, "text/css"),
}
"""What is served besides pages: its folder and type."""

_templates = Environment(
    loader=FileSystemLoader([HERE / "templates", SCREEN]),
    autoescape=True,
    undefined=StrictUndefined,
)


def application(session: Session, token: str, port: int) -> Starlette:
    """Returns the web application; every path starts with the token."""
    base = f"/{token}"

    async def page(request: Request) -> Response:
        row = session.by_id.get(request.query_params.get("id", "")) or session.next()
        return _html("page.html", base=base, **session.view(row))

    async def mine(request: Request) -> Response:
        return _html("mine.html", base=base, annotator=session.annotator, labels=session.answered())

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
        try:
            answer = read_answer(await request.body(), session)
        except ValueError as error:
            return PlainTextResponse(f"this is no label: {error}", 400)
        row = session.by_id[answer.label.id]
        try:
            session.store.add(answer.label, answer.nonce, answer.replaces)
        except AnsweredElsewhere as error:
            return _conflict(request, row, error)
        return _next(request, session.next())

    async def undo(request: Request) -> Response:
        try:
            number = read_undo(await request.body())
        except ValueError as error:
            return PlainTextResponse(f"this undoes nothing: {error}", 400)
        try:
            id = session.store.undo(session.annotator, number)
        except AnsweredElsewhere as error:
            row = session.by_id.get(error.label.id) if error.label else session.next()
            return _conflict(request, row, error)
        return _next(request, session.by_id.get(id or "") or session.next())

    def _next(request: Request, row: LabelledTransition | None) -> Response:
        if request.headers.get("x-part") == "main":
            return _html("main.html", base=base, **session.view(row))
        where = f"{base}/?id={row.transition.id}" if row else f"{base}/"
        return RedirectResponse(where, 303)

    def _conflict(
        request: Request, row: LabelledTransition | None, error: AnsweredElsewhere
    ) -> Response:
        """Returns the transition again with what counts now; an answer to that page replaces it."""
        template = "main.html" if request.headers.get("x-part") == "main" else "page.html"
        response = _html(template, base=base, **session.view(row, notice=str(error)))
        response.status_code = 409
        return response

    routes = [
        Route(f"{base}/", page, methods=["GET"]),
        Route(f"{base}/mine", mine, methods=["GET"]),
        Route(f"{base}/guide", guide, methods=["GET"]),
        Route(f"{base}/static/{{name}}", static, methods=["GET"]),
        Route(f"{base}/label", label, methods=["POST"]),
        Route(f"{base}/undo", undo, methods=["POST"]),
    ]
    return guarded(routes, port)


def _html(template: str, **values: object) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(**values))
