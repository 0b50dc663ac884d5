"""Moves a store's answers between people: parquet with a manifest, to be imported and replayed.

A folder holds `answers.parquet`, a row an answer with the raw text it came in, and `manifest.json`:
the schema's version, models, prompts by hash, counts, and the sha-256 of the parquet file. Keys are
computed again on import, so no file can put an answer under a question it was not given to.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from calm.endpoint.envelope import Call, Reply, TokenOdds, token_odds
from calm.errors import UsageError
from calm.files import sha256_of, write_folder
from calm.records import Subgoal, Usage
from calm.store.question import Context, Question
from calm.store.store import Store

SCHEMA_VERSION = 1
MAX_FILE_BYTES = 4 << 30
MAX_ROWS = 20_000_000
_BLOCK = 5_000

ANSWERS = pa.schema(
    [
        ("kind", pa.string()),
        ("task", pa.string()),
        ("mode", pa.string()),
        ("subgoals", pa.string()),  # JSON [[name, definition], ...]
        ("template", pa.string()),
        ("prompt", pa.string()),  # hash
        ("model", pa.string()),
        ("params", pa.string()),  # JSON
        ("text", pa.string()),
        ("sample", pa.int32()),
        ("call", pa.int64()),  # rows with the same one share one raw answer
        ("item", pa.int32()),
        ("items", pa.int32()),
        ("endpoint", pa.string()),
        ("started", pa.float64()),
        ("seconds", pa.float64()),
        ("raw", pa.string()),
        ("finish", pa.string()),
        ("refusal", pa.string()),
        ("served_by", pa.string()),
        ("request_id", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("cost", pa.float64()),
        ("verdict", pa.string()),  # as read by the exporter; read again on import
        ("message", pa.string()),  # JSON, where it held more than `raw`; absent in older exports
        ("odds", pa.string()),  # JSON [[token, logprob, {token: logprob}], ...]; likewise
    ]
)


def export_store(store: Store, folder: Path) -> dict[str, Any]:
    """Writes all answers of a store into a new folder; returns the manifest.

    Raises:
        UsageError: the folder holds an export already; it is not overwritten.
    """
    path = folder / "answers.parquet"
    if path.exists() or (folder / "manifest.json").exists():
        raise UsageError(f"{folder} holds an export already; name another folder")
    manifest: dict[str, Any] = {}
    write_folder(folder, lambda partial: manifest.update(_write_export(store, partial)))
    return manifest


def _write_export(store: Store, folder: Path) -> dict[str, Any]:
    """Writes the answers and the manifest into an empty folder; returns the manifest."""
    path = folder / "answers.parquet"
    rows = 0
    with pq.ParquetWriter(path, ANSWERS, compression="zstd") as writer:
        last = (-1, -1)
        while block := store.tables.answers.whole_rows_after(*last, _BLOCK):
            columns = zip(*block, strict=True)
            arrays = [pa.array(c, t) for c, t in zip(columns, ANSWERS.types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=ANSWERS))
            last = (block[-1][10], block[-1][11])
            rows += len(block)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "answers": rows,
        "models": store.models(),
        "prompts": [
            {"template": template, "hash": prompt}
            for template, prompt in store.tables.contexts.prompts()
        ],
        "files": {path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    return manifest


def import_store(folder: Path, store: Store) -> tuple[int, int]:
    """Takes an export's answers into a store; (new, already there). Answers there already stay.

    Raises:
        UsageError: it is no export, from a newer version, or was changed since.
    """
    path = folder / "answers.parquet"
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        version, digest = manifest["schema_version"], manifest["files"][path.name]["sha256"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{folder} is no export of a store: {error!r}") from None
    if version != SCHEMA_VERSION:
        raise UsageError(f"{folder} has schema {version}, this calm reads {SCHEMA_VERSION}")
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        raise UsageError(f"{path} is missing, or larger than {MAX_FILE_BYTES >> 30} GiB")
    if sha256_of(path) != digest:
        raise UsageError(f"{path} is not the file its manifest tells of: the sha-256 differs")
    new = total = 0
    for context, endpoint, call, items, rows in _calls(path):
        new += store.adopt(context, endpoint, call, items, rows)
        total += len(rows)
    return new, total - new


def _calls(path: Path) -> Iterator[tuple[Context, str, Call, int, dict[int, Question]]]:
    """Yields every call of a file, with its questions by item."""
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    names = ANSWERS.names
    known = file.schema_arrow.names in (names, names[:-1], names[:-2])
    if not known or file.metadata.num_rows > MAX_ROWS:
        raise UsageError(f"{path} has other columns than an export, or too many rows")
    rows = (row for batch in file.iter_batches(_BLOCK) for row in batch.to_pylist())
    for _, group in groupby(rows, key=lambda r: r["call"]):
        shared = list(group)
        first = shared[0]
        context = _context(first, path)
        usage = Usage(
            1,
            first["prompt_tokens"],
            first["cached_tokens"],
            first["completion_tokens"],
            first["seconds"],
            first["cost"],
        )
        reply = Reply(
            first["raw"],
            first["finish"],
            first["refusal"],
            _odds(first, path),
            usage=usage,
            model=first["served_by"],
            request_id=first["request_id"],
            message=_message(first, path),
        )
        call = Call(first["started"], first["seconds"], "imported", reply, "", first["cost"])
        questions = {
            r["item"]: Question(context.key(r["text"], r["sample"]), r["text"], r["sample"])
            for r in shared
        }
        yield context, first["endpoint"], call, first["items"], questions


def _odds(row: dict[str, Any], path: Path) -> tuple[TokenOdds, ...]:
    """Returns a call's log-probabilities, checked as those of an endpoint are."""
    try:
        listed = [
            {
                "token": token,
                "logprob": logprob,
                "top_logprobs": [{"token": t, "logprob": p} for t, p in top.items()],
            }
            for token, logprob, top in json.loads(row.get("odds") or "[]")
        ]
        odds = token_odds({"content": listed})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} has a row that no export writes: {error}") from None
    if len(odds) != len(listed):
        raise UsageError(f"{path} has a row that no export writes: odds that are none")
    return odds


def _message(row: dict[str, Any], path: Path) -> str:
    message: str = row.get("message") or ""
    try:
        if message and not isinstance(json.loads(message), dict):
            raise ValueError("a message that is no object")
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} has a row that no export writes: {error}") from None
    return message


def _context(row: dict[str, Any], path: Path) -> Context:
    try:
        for name in ("kind", "task", "mode", "model", "template"):
            if not row[name].isprintable():
                raise ValueError(f"the {name} {row[name]!r} holds control characters")
        subgoals = tuple(Subgoal(*s) for s in json.loads(row["subgoals"]))
        params = json.loads(row["params"])
        return Context(
            row["task"],
            subgoals,
            row["model"],
            row["mode"],
            row["template"],
            row["prompt"],
            params,
            row["kind"],
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} has a row that no export writes: {error}") from None
