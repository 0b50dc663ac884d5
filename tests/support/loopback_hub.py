"""A Hugging Face hub of one file on loopback: what its real client asks for, no more."""

import hashlib
import re
import socket
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LoopbackHub:
    """Serves `content` as `repository:name`, in ranges, and fails as it is told.

    Attributes:
        cut: bytes after which connections are reset, one number for each download to come.
        stall: set where they are left open instead, and nothing more is sent.
        gated: whether the repository asks for consent first.
        content: may be changed, as makers do.
        ranges: where each download began, in order.
    """

    def __init__(
        self, content: bytes, repository: str = "maker/tiny", name: str = "m.gguf"
    ) -> None:
        self.content = content
        self.path = f"/{repository}/resolve/main/{name}"
        self.cut: list[int] = []
        self.stall = threading.Event()
        self._closed = threading.Event()
        self.gated = False
        self.ranges: list[int] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                if self._allowed():
                    self._headers(200, len(hub.content))

            def do_GET(self) -> None:
                if not self._allowed():
                    return
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range") or "bytes=0-")
                assert asked is not None
                start = int(asked[1])
                hub.ranges.append(start)
                self._headers(206 if "range" in self.headers else 200, len(hub.content) - start)
                body = hub.content[start:]
                if hub.cut:
                    self.wfile.write(body[: hub.cut.pop(0)])
                    self.wfile.flush()
                    if hub.stall.is_set():
                        hub._closed.wait()
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                    return
                self.wfile.write(body)

            def _allowed(self) -> bool:
                if self.path != hub.path:
                    self._refuse(404, "RepoNotFound")
                    return False
                if hub.gated:
                    self._refuse(403, "GatedRepo")
                    return False
                return True

            def _refuse(self, status: int, code: str) -> None:
                self.send_response(status)
                self.send_header("x-error-code", code)
                self.send_header("content-length", "0")
                self.end_headers()

            def _headers(self, status: int, length: int) -> None:
                self.send_response(status)
                self.send_header("etag", f'"{hashlib.sha256(hub.content).hexdigest()}"')
                self.send_header("x-repo-commit", "c" * 40)
                self.send_header("content-length", str(length))
                self.end_headers()

            def handle(self) -> None:
                with suppress(OSError):  # the connection that was cut
                    super().handle()

            def finish(self) -> None:
                with suppress(OSError, ValueError):
                    super().finish()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "LoopbackHub":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
