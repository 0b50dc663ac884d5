"""A Hugging Face hub on loopback: what its real client asks for, no more."""

import base64
import hashlib
import json
import re
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

TOKEN = "hf_loopback"
"""What has the right to write, and to read what is private."""
SMALL = 10_000
"""Bytes of a file whose download is never cut."""


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Makes the hub's client take small bites, and try again at once what broke off."""
    patch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    patch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda seconds: None))


@dataclass
class Repository:
    """The files of a repository at each of its commits."""

    private: bool = False
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{}])

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1]

    def at(self, revision: str) -> dict[str, bytes]:
        return self.files if revision == "main" else self.commits[int(revision, 16)]


class LoopbackHub:
    """Serves repositories, in ranges, takes commits, and fails as it is told.

    Attributes:
        repositories: by name, of a data set `datasets/OWNER/NAME`.
        cut: bytes after which connections are reset, one number for each download to come.
        stall: set where they are left open instead, and nothing more is sent.
        gated: whether every repository asks for consent first.
        ranges: where each download began, in order.
        uploads: names of files, by their hash, that came as large ones.
        refuse_commits: whether commits fail with 500.
    """

    def __init__(
        self, content: bytes | None = None, repository: str = "maker/tiny", name: str = "m.gguf"
    ) -> None:
        self.repositories: dict[str, Repository] = {}
        self._first = (repository, name)
        if content is not None:
            self.repositories[repository] = Repository(commits=[{name: content}])
        self.cut: list[int] = []
        self.stall = threading.Event()
        self._closed = threading.Event()
        self.gated = False
        self.ranges: list[int] = []
        self.uploads: dict[str, bytes] = {}
        self.upload_count = 0
        self.refuse_commits = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def content(self) -> bytes:
        """Of the file that it began with; may be changed, as makers do."""
        repository, name = self._first
        return self.repositories[repository].files[name]

    @content.setter
    def content(self, content: bytes) -> None:
        repository, name = self._first
        self.repositories[repository].files[name] = content

    def __enter__(self) -> "LoopbackHub":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def take_commit(self, repository: str, lines: list[dict[str, Any]]) -> str:
        """Adds a commit as the client sends it, and returns its hash."""
        files = dict(self.repositories[repository].files)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.uploads[value["oid"]]
        self.repositories[repository].commits.append(files)
        return f"{len(self.repositories[repository].commits) - 1:040x}"


def _handler(hub: LoopbackHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            if (content := self._resolved()) is not None:
                self._headers(200, content, len(content))

        def do_GET(self) -> None:
            if api := re.fullmatch(r"/api/(models/|datasets/)([\w.-]+/[\w.-]+)", self.path):
                name = api[2] if api[1] == "models/" else f"datasets/{api[2]}"
                repository = self._repository(name)
                if repository is not None:
                    commit = f"{len(repository.commits) - 1:040x}"
                    about = {"id": api[2], "private": repository.private, "sha": commit}
                    self._json(about | {"_id": "1", "tags": [], "siblings": []})
                return
            content = self._resolved()
            if content is None:
                return
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range") or "bytes=0-")
            assert asked is not None
            start = int(asked[1])
            hub.ranges.append(start)
            self._headers(206 if "range" in self.headers else 200, content, len(content) - start)
            body = content[start:]
            if hub.cut and len(content) > SMALL:
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

        def do_PUT(self) -> None:
            content = self._body()
            digest = self.path.rpartition("/")[2]
            assert hashlib.sha256(content).hexdigest() == digest
            hub.uploads[digest] = content
            hub.upload_count += 1
            self._json({})

        def do_POST(self) -> None:
            body = self._body()
            if self.path == "/api/validate-yaml":
                self._json({"errors": [], "warnings": []})
                return
            if self.headers.get("authorization") != f"Bearer {TOKEN}":
                self._refuse(401, "", "Invalid credentials in Authorization header")
                return
            if self.path == "/api/repos/create":
                self._create(json.loads(body))
                return
            batch = re.fullmatch(r"/(.+)\.git/info/lfs/objects/batch", self.path)
            if batch:
                self._json({"objects": [self._upload(o) for o in json.loads(body)["objects"]]})
                return
            api = re.fullmatch(r"/api/(models/|datasets/)(.+)/(preupload|commit)/main", self.path)
            assert api is not None, self.path
            name = api[2] if api[1] == "models/" else f"datasets/{api[2]}"
            if api[3] == "preupload":
                files = [
                    {
                        "path": f["path"],
                        "shouldIgnore": False,
                        "uploadMode": "lfs"
                        if f["path"].endswith((".parquet", ".safetensors"))
                        else "regular",
                    }
                    for f in json.loads(body)["files"]
                ]
                self._json({"files": files})
                return
            if hub.refuse_commits:
                self._refuse(500, "")
                return
            commit = hub.take_commit(name, [json.loads(line) for line in body.splitlines()])
            url = f"{hub.url}/{name}/commit/{commit}"
            self._json({"commitUrl": url, "commitOid": commit, "hookOutput": ""})

        def _body(self) -> bytes:
            """What was sent, in chunks or at once."""
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers["content-length"]))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _create(self, asked: dict[str, Any]) -> None:
            plain = f"{asked['organization']}/{asked['name']}"
            name = f"datasets/{plain}" if asked.get("type") == "dataset" else plain
            url = {"url": f"{hub.url}/{name}"}
            if name in hub.repositories:
                self._json(url, 409)
                return
            hub.repositories[name] = Repository(asked.get("visibility") == "private")
            self._json(url)

        def _upload(self, described: dict[str, Any]) -> dict[str, Any]:
            """What a client is told to do about a large file; nothing where it is here already."""
            if described["oid"] in hub.uploads:
                return described
            href = f"{hub.url}/lfs/{described['oid']}"
            return described | {"actions": {"upload": {"href": href}}}

        def _repository(self, name: str) -> Repository | None:
            """Returns what may be read; None once it is refused."""
            repository = hub.repositories.get(name)
            allowed = self.headers.get("authorization") == f"Bearer {TOKEN}"
            if repository is None or (repository.private and not allowed):
                self._refuse(404, "RepoNotFound")
                return None
            if hub.gated:
                self._refuse(403, "GatedRepo")
                return None
            return repository

        def _resolved(self) -> bytes | None:
            path = re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
            assert path is not None, self.path
            repository = self._repository(path[1])
            if repository is None:
                return None
            self._commit = f"{len(repository.commits) - 1:040x}"
            files = repository.at(path[2])
            if path[3] not in files:
                self._refuse(404, "EntryNotFound")
                return None
            return files[path[3]]

        def _refuse(self, status: int, code: str, message: str = "") -> None:
            self.send_response(status)
            self.send_header("x-error-code", code)
            self.send_header("x-error-message", message)
            self.send_header("content-length", "0")
            self.end_headers()

        def _json(self, value: object, status: int = 200) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _headers(self, status: int, content: bytes, length: int) -> None:
            self.send_response(status)
            self.send_header("etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("x-repo-commit", self._commit)
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

    return Handler
