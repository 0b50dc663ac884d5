"""One file of a hub: what its real client says of it, and what it brings."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.hub.client import HubFile, describe, fetch
from tests.support.loopback_hub import LoopbackHub

CONTENT = bytes(range(256)) * 8


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with LoopbackHub(CONTENT) as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        yield made


def test_a_file_is_described_by_size_and_hash(hub: LoopbackHub) -> None:
    file = describe("maker/tiny", "m.gguf")
    assert file.size == 2048
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert HubFile("u", 1, "v7").sha256 == ""


def test_a_download_begins_where_the_last_one_ended(hub: LoopbackHub, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(CONTENT[:1000])
    steps: list[int] = []
    fetch(describe("maker/tiny", "m.gguf"), part, lambda what, done, total: steps.append(done))
    assert part.read_bytes() == CONTENT
    assert hub.ranges == [1000]
    assert steps[-1] == 2048


def test_a_part_that_is_longer_than_the_file_begins_anew(hub: LoopbackHub, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"x" * 3000)
    fetch(describe("maker/tiny", "m.gguf"), part, lambda what, done, total: None)
    assert part.read_bytes() == CONTENT


def test_what_the_hub_lacks_or_holds_back_is_told(hub: LoopbackHub) -> None:
    with pytest.raises(UsageError, match=r"the hub has no maker/tiny:other\.gguf"):
        describe("maker/tiny", "other.gguf")
    hub.gated = True
    with pytest.raises(UsageError, match="ask for consent first"):
        describe("maker/tiny", "m.gguf")
