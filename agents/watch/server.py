"""The web application of the page that watches: it reads, on this machine, and writes nothing.

Guarded as the labelling page is (`data.local_page.guard`). Texts of games and models go to the page
as JSON and into it as text, never as HTML.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agents.report.page import STYLE
from agents.watch.judgement_filter import JudgementFilter
from agents.watch.watching import Watching
from calm.errors import CalmError, UsageError
from data.local_page.guard import guarded
from data.screen.view import HERE as SCREEN

HERE = Path(__file__).parent
_SCRIPTS = ("elements.js", "sections.js", "judgements.js", "watch.js")
_STATIC = {
    **{name: (HERE / "static" / name, "text/javascript") for name in _SCRIPTS},
    "watch.css": (HERE / "static" / "watch.css", "text/css"),
    "page.css": (STYLE, "text/css"),
}
"""What is served besides the page: its file and type."""
_CHART_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""A chart carries its colours with it; as the page's picture, and opened alone, it runs nothing."""

_templates = Environment(
    loader=FileSystemLoader([HERE / "templates", SCREEN]),
    autoescape=True,
    undefined=StrictUndefined,
)


def application(watching: Watching, title: str, token: str, port: int) -> Starlette:
    """Returns the web application; every path starts with the token.

    Args:
        watching: what is shown.
        title: of the page.
        token: that the address holds.
        port: on which it listens.
    """
    base = f"/{token}"

    def page(request: Request) -> Response:
        html = _templates.get_template("watch.html").render(base=base, title=title)
        return HTMLResponse(html)

    def state(request: Request) -> Response:
        since = request.query_params.get("since", "0")
        if not (since.isascii() and since.isdigit() and len(since) < 19):
            raise UsageError(f"since is {since[:32]!r}, expected the number of a version")
        return _json(watching.changes(request.query_params.get("boot", ""), int(since)))

    def run(request: Request) -> Response:
        details = watching.run(request.query_params.get("id", ""))
        return _json(details) if details is not None else PlainTextResponse("no such run", 404)

    def judgements(request: Request) -> Response:
        store = watching.stores.get(request.query_params.get("store", ""))
        if store is None:
            return PlainTextResponse("no such store", 404)
        wanted = JudgementFilter.read(request.query_params)
        return _json(store.page(wanted, request.query_params.get("after", "")))

    def judgement(request: Request) -> Response:
        store = watching.stores.get(request.query_params.get("store", ""))
        found = store.judgement(_key(request)) if store is not None else None
        return _json(found) if found else PlainTextResponse("no such judgement", 404)

    def chart(request: Request) -> Response:
        charts = watching.charts.get(request.query_params.get("group", ""))
        svg = charts.draw(request.path_params["kind"]) if charts is not None else None
        if svg is None:
            return PlainTextResponse("no such chart", 404)
        return Response(svg, media_type="image/svg+xml", headers=_CHART_POLICY)

    def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return PlainTextResponse("no such file", 404)
        path, kind = _STATIC[name]
        return Response(path.read_bytes(), media_type=kind)

    endpoints: dict[str, Callable[[Request], Response]] = {
        "/": page,
        "/state": state,
        "/run": run,
        "/judgements": judgements,
        "/judgement": judgement,
        "/chart/{kind}": chart,
        "/static/{name}": static,
    }
    routes = [
        Route(base + path, _explained(endpoint), methods=["GET"])
        for path, endpoint in endpoints.items()
    ]
    return guarded(routes, port)


def _explained(endpoint: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Returns an endpoint that answers with our errors' words, and whose fault it was."""

    def answer(request: Request) -> Response:
        try:
            return endpoint(request)
        except UsageError as error:
            return PlainTextResponse(str(error), 400)
        except CalmError as error:
            return PlainTextResponse(str(error), 503)

    return answer


def _key(request: Request) -> bytes:
    word = request.query_params.get("key", "")
    try:
        return bytes.fromhex(word)
    except ValueError:
        raise UsageError(f"no key of a judgement: {word[:64]!r}") from None


def _json(value: Any) -> Response:
    return JSONResponse(_plain(value))


def _plain(value: Any) -> Any:
    """Returns a value that JSON in UTF-8 has: null for no number, marks for no character."""
    if isinstance(value, dict):
        return {_plain(str(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):  # a file's name need not be UTF-8
        return value.encode("utf-8", "backslashreplace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value
