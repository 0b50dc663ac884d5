"""Guards a page that this machine serves to itself: who is let in, and what the page may do.

A request must name this host (against DNS rebinding) and, if it writes, come from this very page
with a small body; the content-security policy allows nothing from elsewhere and nothing inline.
That the address holds a token, and that all text is escaped, is the application's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

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
MAX_BODY = 64 * 1024
"""Bytes of a form."""


def guarded(routes: Sequence[Route], port: int) -> Starlette:
    """Returns the web application of these routes, which answers to this machine alone.

    Args:
        routes: each with the methods that it takes; another one is refused.
        port: on which it listens.
    """
    return Starlette(
        routes=list(routes), middleware=[Middleware(BaseHTTPMiddleware, dispatch=_guard(port))]
    )


def _guard(
    port: int,
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = _refusal(request, hosts) or await answer(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guard


def _refusal(request: Request, hosts: set[str]) -> Response | None:
    """Returns the response that refuses a request; None if it is answered."""
    host = request.headers.get("host", "")
    if host not in hosts:
        return PlainTextResponse("this page answers to 127.0.0.1 alone", 403)
    if request.method not in ("GET", "HEAD"):
        if request.headers.get("origin") != f"http://{host}":
            return PlainTextResponse("answers are taken from this page alone", 403)
        size = request.headers.get("content-length", "")
        if not size.isdigit() or int(size) > MAX_BODY:
            return PlainTextResponse("too much for an answer", 413)
    return None
