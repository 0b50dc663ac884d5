"""Writes recorded episodes as a ttyrec: what a terminal showed and when, for `ttyplay` and its kin.

Each record is a header of three little-endian uint32, seconds, microseconds and length, and so many
bytes for the terminal: the format of ttyrec 1.0.8 (M. Satoh), which nle's own recordings extend.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from agents.inspection.recording import Recording, Step
from calm.files import write_file

_CLEAR = "\x1b[2J\x1b[H"


def write_ttyrec(recording: Recording, path: Path, speed: float = 4.0) -> None:
    """Writes all episodes, a frame each step.

    Args:
        speed: steps a second.
    """
    write_file(path, b"".join(_records(recording, speed)))


def _records(recording: Recording, speed: float) -> Iterator[bytes]:
    """Yields the records, the first at second 0."""
    frames = [step for episode in recording.episodes for step in episode]
    for i, step in enumerate(frames):
        content = (_CLEAR + "\r\n".join(_lines(step))).encode()
        seconds, micros = divmod(round(1e6 * i / speed), 1_000_000)
        yield struct.pack("<III", seconds, micros, len(content)) + content


def _lines(step: Step) -> Iterator[str]:
    """Yields the terminal's lines with its sixteen colours as escapes."""
    for chars, colours in zip(step.chars.split("\n"), step.colours.split("\n"), strict=True):
        cells = zip(chars, colours, strict=True)
        line = ""
        for colour, run in groupby(cells, key=lambda cell: cell[1]):
            number = int(colour, 16)
            code = (30 if number < 8 else 90) + number % 8
            line += f"\x1b[{code}m" + "".join(char for char, _ in run)
        yield line.rstrip() + "\x1b[0m"
