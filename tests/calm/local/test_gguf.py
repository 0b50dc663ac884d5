"""What a file of weights says of itself, and files that are none."""

import struct
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.local.gguf import read_header
from tests.support.tiny_gguf import gguf_bytes, write_gguf


def test_a_header_says_what_the_model_is(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf")
    header = read_header(path)
    assert (header.name, header.architecture, header.licence) == ("Tiny Model 3", "llama", "mit")
    assert header.context == 2048
    assert header.chat_template
    # 16-bit numbers, 3 blocks, 2 heads of 20 / 5 numbers, for key and value
    assert header.bytes_per_token == 2 * 3 * 2 * (4 + 4)
    assert header.vocabulary == 30
    assert header.parts == 1
    assert header.size == path.stat().st_size


def test_lengths_of_keys_and_heads_a_layer_count_where_they_are_said(tmp_path: Path) -> None:
    more = {
        "llama.attention.key_length": 16,
        "llama.attention.value_length": 7,
        "llama.attention.head_count_kv": [1, 4, 2],
    }
    header = read_header(write_gguf(tmp_path / "m.gguf", **more))
    assert header.bytes_per_token == 2 * 3 * 4 * (16 + 7)


def test_a_base_model_has_no_template_and_a_split_one_has_parts(tmp_path: Path) -> None:
    more = {"tokenizer.chat_template": None, "split.count": 3, "general.name": None}
    header = read_header(write_gguf(tmp_path / "m.gguf", **more))
    assert not header.chat_template
    assert header.parts == 3
    assert header.name == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin with GGUF"),
        (b"PK\x03\x04" + b"\0" * 500, "does not begin with GGUF"),
        (b"GGUF", "ends in the middle"),
        (b"GGUF" + struct.pack("<IQQ", 1, 1, 1), "version is 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1), "makes no sense"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 1 << 62), "in the middle"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 1) + b"a\x63\0\0\0", "unknown type 99"),
        (gguf_bytes()[:700], "in the middle"),
        (gguf_bytes(weights=0), ""),
    ],
)  # fmt: skip
def test_what_is_no_model_is_told(content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    if not why:  # a tensor without a number is odd, but whole
        assert read_header(path).size == len(content)
        return
    with pytest.raises(UsageError, match=why):
        read_header(path)


def test_a_file_cut_among_its_tensors_is_cut_short(tmp_path: Path) -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 0)
    for offset in (0, 4096):
        head += struct.pack("<Q", 1) + b"t" + struct.pack("<IQIQ", 1, 1024, 0, offset)
    path = tmp_path / "m.gguf"
    path.write_bytes(head + b"\0" * 4000)
    with pytest.raises(UsageError, match="cut short"):
        read_header(path)
    path.write_bytes(head + b"\0" * 8200)
    assert read_header(path).context == 0


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_header(tmp_path / "none.gguf")
