"""Reads the header of a GGUF file, which says what model it holds, without loading the weights.

The format: `GGUF`, a version, the numbers of tensors and of fields, then the fields (name, type,
value), then a line about each tensor, then the tensors (github.com/ggml-org/ggml, docs/gguf.md).
A file is untrusted: every length is checked against the size of the file before it is read.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from calm.errors import UsageError

MAGIC = b"GGUF"
_FORMATS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
"""Codes of `struct` by the format's numbers for types."""
_STRING, _ARRAY = 8, 9
_MOST_FIELDS = 65_536
_LONG = 8  # elements of an array that are kept; the vocabulary is skipped


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of its model."""

    name: str
    """As its makers call it; empty if they don't."""
    architecture: str
    licence: str
    """Empty if it is not said."""
    context: int
    """Tokens that it was trained to take at once; 0 if it is not said."""
    chat_template: bool
    """Whether it knows turns: a base model has no template, and can't be asked."""
    bytes_per_token: int
    """Of memory that a token of context takes, with 16 bits a number; 0 if it can't be told."""
    vocabulary: int
    """Different tokens; 0 if it is not said."""
    parts: int
    """Files that the model is split into."""
    size: int
    """Bytes of the file."""


class _Reader:
    """Reads values one after another from a file whose size bounds every length."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.size = size

    def take(self, n: int) -> bytes:
        if n > self.size - self.file.tell():
            raise ValueError("it ends in the middle of its header")
        return self.file.read(n)

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def skip(self, n: int) -> None:
        if n > self.size - self.file.tell():
            raise ValueError("it ends in the middle of its header")
        self.file.seek(n, 1)

    def value(self, kind: int) -> Any:
        """Reads a value of a type; of a long array only its length is read, and it is a `range`."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self._array()
        if kind not in _FORMATS:
            raise ValueError(f"its header holds a value of unknown type {kind}")
        return self.number(_FORMATS[kind])

    def _array(self) -> list[Any] | range:
        kind, n = self.number("I"), self.number("Q")
        if n <= _LONG:
            return [self.value(kind) for _ in range(n)]
        if kind == _STRING:
            for _ in range(n):
                self.skip(self.number("Q"))
        elif kind in _FORMATS:
            self.skip(n * struct.calcsize(f"<{_FORMATS[kind]}"))
        else:
            raise ValueError(f"its header holds a long list of type {kind}")
        return range(n)


def read_header(path: Path) -> Header:
    """Returns what a GGUF file says of its model.

    Raises:
        UsageError: it can't be read, is no GGUF file, or is cut short.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            return _read(_Reader(file, size), size)
    except (ValueError, MemoryError) as error:
        raise UsageError(
            f"{path} is no GGUF file that can be used: {error}."
            " Name a file of weights in llama.cpp's format (.gguf)"
        ) from None
    except OSError as error:
        raise UsageError(f"can't read the weights in {path}: {error.strerror}") from None


def _read(reader: _Reader, size: int) -> Header:
    if reader.file.read(4) != MAGIC:
        raise ValueError(f"it does not begin with {MAGIC.decode()}")
    version = reader.number("I")
    if version not in (2, 3):
        raise ValueError(f"its version is {version}, known are 2 and 3")
    tensors, count = reader.number("Q"), reader.number("Q")
    if count > _MOST_FIELDS or tensors > _MOST_FIELDS:
        raise ValueError("its header makes no sense")
    fields = {}
    for _ in range(count):
        name = reader.text()
        fields[name] = reader.value(reader.number("I"))
    last = max((_tensor_offset(reader) for _ in range(tensors)), default=0)
    if reader.file.tell() + last > size or not tensors:
        raise ValueError(f"it is cut short, at {size:,} bytes")
    return _header(fields, size)


def _tensor_offset(reader: _Reader) -> int:
    """Returns where a tensor begins, in bytes from the first."""
    reader.text()
    reader.skip(8 * int(reader.number("I")) + 4)
    return int(reader.number("Q"))


def _header(fields: Mapping[str, Any], size: int) -> Header:
    def text(name: str) -> str:
        value = fields.get(name)
        return value if isinstance(value, str) else ""

    architecture = text("general.architecture")

    def number(name: str) -> int:
        value = fields.get(f"{architecture}.{name}")
        if isinstance(value, list):  # a number a layer: the most
            value = max((v for v in value if isinstance(v, int)), default=0)
        return value if isinstance(value, int) and value > 0 else 0

    tokens = fields.get("tokenizer.ggml.tokens")
    parts = fields.get("split.count")
    heads = number("attention.head_count")
    width = number("embedding_length") // heads if heads else 0
    key, value = (number(f"attention.{n}_length") or width for n in ("key", "value"))
    kv_heads = number("attention.head_count_kv") or heads
    return Header(
        name=text("general.name"),
        architecture=architecture,
        licence=text("general.license"),
        context=number("context_length"),
        chat_template=bool(text("tokenizer.chat_template").strip()),
        bytes_per_token=2 * number("block_count") * kv_heads * (key + value),
        vocabulary=len(tokens) if isinstance(tokens, (list, range)) else 0,
        parts=parts if isinstance(parts, int) and parts > 1 else 1,
        size=size,
    )
