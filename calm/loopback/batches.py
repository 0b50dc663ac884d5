"""The loopback server's Batch API: files in, jobs, files out; a job is done when polled twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

Complete = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]
"""From one request's body to its status and answer."""


class Batches:
    """Holds files and jobs by id.

    `expire` and `fail` hold how many rows of the next jobs expire or come back as errors, `refuse`
    how many jobs are refused whole.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.expire = 0
        self.fail = 0
        self.refuse = 0
        self.polls_needed = 2
        self._polls: Counter[str] = Counter()

    @property
    def polls(self) -> int:
        """Returns how often any job was looked at."""
        return self._polls.total()

    def respond(self, method: str, path: str, content: bytes, complete: Complete) -> bytes | None:
        """Returns the answer to a request for a file or a job; None if it is about neither."""
        if path == "/v1/files" and method == "POST":
            return _json(self._upload(content))
        if match := re.fullmatch(r"/v1/files/([\w-]+)/content", path):
            return self.files.get(match[1])
        if path == "/v1/batches":
            if method == "POST":
                return _json(self._create(json.loads(content)))
            listed = list(reversed(self.jobs.values()))
            return _json({"object": "list", "data": listed, "has_more": False})
        if (match := re.fullmatch(r"/v1/batches/([\w-]+)", path)) and match[1] in self.jobs:
            self._advance(match[1], complete)
            return _json(self.jobs[match[1]])
        return None

    def _upload(self, content: bytes) -> dict[str, Any]:
        # multipart/form-data: the file's part is the one that holds JSON lines.
        boundary = content.split(b"\r\n", 1)[0]
        parts = [p.split(b"\r\n\r\n", 1) for p in content.split(boundary) if b"\r\n\r\n" in p]
        data = next(body for head, body in parts if b"filename=" in head).removesuffix(b"\r\n")
        name = f"file-{len(self.files)}"
        self.files[name] = data
        return {
            "id": name, "object": "file", "bytes": len(data), "created_at": 0,
            "filename": "batch.jsonl", "purpose": "batch", "status": "processed",
        }  # fmt: skip

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = f"batch-{len(self.jobs)}"
        self.jobs[name] = {
            "id": name, "object": "batch", "endpoint": request["endpoint"],
            "input_file_id": request["input_file_id"], "completion_window": "24h",
            "status": "in_progress", "created_at": 0, "metadata": request.get("metadata"),
            "output_file_id": None, "error_file_id": None,
        }  # fmt: skip
        return self.jobs[name]

    def _advance(self, name: str, complete: Complete) -> None:
        job = self.jobs[name]
        self._polls[name] += 1
        if job["status"] != "in_progress" or self._polls[name] < self.polls_needed:
            return
        if self.refuse > 0:
            self.refuse -= 1
            refusal = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}
            job |= {"status": "failed", "errors": {"data": [refusal]}}
            return
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for line in self.files[job["input_file_id"]].splitlines():
            row = json.loads(line)
            if self.expire > 0:
                self.expire -= 1
                job["status"] = "expired"
                error = {"code": "batch_expired", "message": "not done within the window"}
                failed.append({"custom_id": row["custom_id"], "response": None, "error": error})
                continue
            status, body = complete(row["body"])
            if self.fail > 0:
                self.fail -= 1
                status, body = 500, {"error": {"message": "The server had an error"}}
            out = {"custom_id": row["custom_id"], "error": None}
            out["response"] = {"status_code": status, "request_id": "r", "body": body}
            (done if status == 200 else failed).append(out)
        for kind, rows in (("output", done), ("error", failed)):
            if rows:
                file = f"file-{len(self.files)}"
                self.files[file] = b"".join(json.dumps(r).encode() + b"\n" for r in rows)
                job[f"{kind}_file_id"] = file
        if job["status"] == "in_progress":
            job["status"] = "completed"


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
