"""The loopback server's Batch API, without a network."""

import json
from typing import Any

from calm.loopback.batches import Batches

UPLOAD = b"\r\n".join(
    [
        b"--b", b'content-disposition: form-data; name="purpose"', b"", b"batch",
        b"--b", b'content-disposition: form-data; name="file"; filename="rows.jsonl"', b"",
        b'{"custom_id": "a", "body": {"n": 1}}\n{"custom_id": "b", "body": {"n": 2}}',
        b"--b--", b"",
    ]
)  # fmt: skip


def _complete(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"doubled": 2 * body["n"]}


def _ask(batches: Batches, method: str, path: str, content: bytes = b"") -> Any:
    page = batches.respond(method, path, content, _complete)
    return None if page is None else json.loads(page)


def _job(batches: Batches) -> str:
    file = _ask(batches, "POST", "/v1/files", UPLOAD)["id"]
    request = {"endpoint": "/v1/chat/completions", "input_file_id": file, "metadata": {"t": "1"}}
    return str(_ask(batches, "POST", "/v1/batches", json.dumps(request).encode())["id"])


def _rows(batches: Batches, file: str) -> list[dict[str, Any]]:
    content = batches.respond("GET", f"/v1/files/{file}/content", b"", _complete)
    assert content is not None
    return [json.loads(line) for line in content.splitlines()]


def test_a_job_is_done_when_it_is_looked_at_twice() -> None:
    batches = Batches()
    job = _job(batches)
    assert _ask(batches, "GET", f"/v1/batches/{job}")["status"] == "in_progress"
    done = _ask(batches, "GET", f"/v1/batches/{job}")
    assert (done["status"], done["metadata"], batches.polls) == ("completed", {"t": "1"}, 2)
    rows = _rows(batches, done["output_file_id"])
    assert [(r["custom_id"], r["response"]["body"]) for r in rows] == [
        ("a", {"doubled": 2}),
        ("b", {"doubled": 4}),
    ]
    assert [j["id"] for j in _ask(batches, "GET", "/v1/batches")["data"]] == [job]


def test_rows_expire_and_fail_as_they_are_told_and_a_job_is_refused() -> None:
    batches = Batches()
    batches.expire, batches.fail, batches.polls_needed = 1, 1, 1
    done = _ask(batches, "GET", f"/v1/batches/{_job(batches)}")
    assert (done["status"], done["output_file_id"]) == ("expired", None)
    expired, failed = _rows(batches, done["error_file_id"])
    assert expired["error"]["code"] == "batch_expired"
    assert failed["response"]["status_code"] == 500
    batches.refuse = 1
    assert _ask(batches, "GET", f"/v1/batches/{_job(batches)}")["status"] == "failed"


def test_what_is_about_neither_files_nor_jobs_is_not_answered() -> None:
    assert _ask(Batches(), "GET", "/v1/models") is None
    assert _ask(Batches(), "GET", "/v1/batches/batch-9") is None
