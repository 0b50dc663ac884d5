"""GGUF files of a few hundred bytes: a header as a model's has it, and one tensor."""

import struct
from pathlib import Path
from typing import Any

FIELDS: dict[str, Any] = {
    "general.architecture": "llama",
    "general.name": "Tiny Model 3",
    "general.license": "mit",
    "llama.context_length": 2048,
    "llama.block_count": 3,
    "llama.embedding_length": 20,
    "llama.attention.head_count": 5,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": [f"t{i}" for i in range(30)],
    "tokenizer.ggml.token_type": list(range(30)),
    "tokenizer.chat_template": "{{ messages }}",
}
"""Of a model whose token of context takes 2 bytes x 3 blocks x 2 heads x (4 + 4) = 96 bytes."""


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _value(value: Any) -> bytes:
    """The number of a value's type, and the value."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, list):
        of_text = bool(value) and isinstance(value[0], str)
        items = b"".join(_text(v) if of_text else struct.pack("<I", v) for v in value)
        return struct.pack("<IIQ", 9, 8 if of_text else 4, len(value)) + items
    return struct.pack("<II", 4, value)


def gguf_bytes(fields: dict[str, Any] | None = None, weights: int = 640, **more: Any) -> bytes:
    """A file's content; a field that is None is left out."""
    chosen = {k: v for k, v in ((fields or FIELDS) | more).items() if v is not None}
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(chosen))
    head += b"".join(_text(name) + _value(value) for name, value in chosen.items())
    head += _text("blk.0.weight") + struct.pack("<IQIQ", 1, weights // 4, 0, 0)
    head += b"\0" * (-len(head) % 32)
    return head + bytes(range(256)) * (weights // 256) + b"\1" * (weights % 256)


def write_gguf(path: Path, fields: dict[str, Any] | None = None, **more: Any) -> Path:
    """Writes such a file and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gguf_bytes(fields, **more))
    return path
