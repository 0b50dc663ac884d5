"""A ttyrec's records: header, time, and what a terminal shows after each."""

import re
import struct
from pathlib import Path

from agents.inspection.ttyrec import write_ttyrec
from tests.support.recorded import recording


def test_a_record_is_a_header_and_a_screen(tmp_path: Path) -> None:
    write_ttyrec(recording(), tmp_path / "a.ttyrec", speed=0.8)
    content, records = (tmp_path / "a.ttyrec").read_bytes(), []
    while content:
        seconds, micros, length = struct.unpack("<III", content[:12])
        records.append((seconds, micros, content[12 : 12 + length].decode()))
        content = content[12 + length :]
    steps = [step for episode in recording().episodes for step in episode]
    assert [r[:2] for r in records] == [
        (0, 0), (1, 250_000), (2, 500_000), (3, 750_000), (5, 0), (6, 250_000)
    ]  # fmt: skip
    for (*_, text), step in zip(records, steps, strict=True):
        assert text.startswith("\x1b[2J\x1b[H")
        lines = re.sub(r"\x1b\[[0-9]*[mJH]", "", text).split("\r\n")
        assert [line.rstrip() for line in lines] == [c.rstrip() for c in step.chars.split("\n")]
    hero = "\x1b[97m@"  # colour 15, bright white
    assert all(hero in text for *_, text in records)
