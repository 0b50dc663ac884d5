"""Takes the wall clock away from a copy of NetHack's library.

NetHack derives names of shopkeepers, prices and kinds of ants from the second in which a game
begins (`ubirthday`), so that a level seed alone would not fix an episode.
"""

from __future__ import annotations

import struct
from pathlib import Path

_DYNAMIC, _LOAD = 2, 1
"""Kinds of segments (p_type)."""
_STRTAB, _SYMTAB, _PLTRELSZ, _JMPREL = 5, 6, 2, 23
"""Tags of the dynamic section (d_tag)."""
_RELOCATION, _SYMBOL = 24, 24
"""Bytes of an Elf64_Rela and of an Elf64_Sym."""


def stop_clock(library: Path) -> bool:
    """Makes every game of a library begin in the first second of 1970.

    The file is changed so that it calls `strlen` where it called `time`: NetHack always passes the
    address of a time that is zero, and the length of what has a zero byte first is zero.

    Args:
        library: a copy of libnethack.so that is not loaded yet; it is written to.

    Returns:
        Whether that was possible. Where the library is of another kind (no little-endian ELF64,
        or without these two functions) it is left as it is.
    """
    content = bytearray(library.read_bytes())
    calls = _relocations(bytes(content))
    if "time" not in calls or "strlen" not in calls:
        return False
    struct.pack_into("<I", content, calls["time"][0], calls["strlen"][1])
    library.write_bytes(content)
    return True


def _relocations(elf: bytes) -> dict[str, tuple[int, int]]:
    """Returns, by name of an imported function, where its symbol's number stands, and that number.

    The place is the offset in the file of the upper half of r_info. Empty for other kinds of files.
    """
    if elf[:6] != b"\x7fELF\x02\x01":
        return {}
    start, size, n = *struct.unpack_from("<Q", elf, 32), *struct.unpack_from("<HH", elf, 54)
    segments: list[tuple[int, ...]] = [
        struct.unpack_from("<IIQQQQ", elf, start + size * i) for i in range(n)
    ]
    loaded = [
        (at, address, bytes_) for kind, _, at, address, _, bytes_ in segments if kind == _LOAD
    ]

    def in_file(address: int) -> int:
        return next(
            at + address - low for at, low, length in loaded if low <= address < low + length
        )

    tags: dict[int, int] = {}
    for kind, _, at, _, _, length in segments:
        if kind == _DYNAMIC:
            tags.update(struct.iter_unpack("<qQ", elf[at : at + length]))
    if not {_STRTAB, _SYMTAB, _PLTRELSZ, _JMPREL} <= tags.keys():
        return {}
    names, symbols, first = (in_file(tags[tag]) for tag in (_STRTAB, _SYMTAB, _JMPREL))
    calls = {}
    for at in range(first, first + tags[_PLTRELSZ], _RELOCATION):
        (symbol,) = struct.unpack_from("<I", elf, at + 12)
        name = names + struct.unpack_from("<I", elf, symbols + _SYMBOL * symbol)[0]
        calls[elf[name : elf.index(b"\0", name)].decode()] = (at + 12, symbol)
    return calls
