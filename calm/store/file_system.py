"""What kind of file system a store's file is on: some can't hold a SQLite file that is written.

SQLite's write-ahead log needs memory that all its processes share and locks that hold, and network
file systems give neither: over NFS a store is damaged in silence (https://sqlite.org/wal.html,
"All processes using a database must be on the same host computer").
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

NETWORK = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "SMB (CIFS)",
    0xFE534D42: "SMB 2",
    0x0BD00BD0: "Lustre",
    0x65735546: "FUSE",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x00C36400: "Ceph",
    0x47504653: "GPFS",
    0x19830326: "BeeGFS",
    0x20030528: "OrangeFS",
}
"""Kinds by the `f_type` that statfs tells: the kernel's include/uapi/linux/magic.h, those that are
not in it (Lustre, GPFS, BeeGFS) from stat.c of GNU coreutils."""

_SIZE = 256
"""Bytes that hold a `struct statfs` (120 on 64-bit Linux), whose first member is `f_type`."""


def file_system_type(path: Path) -> int:
    """Returns the `f_type` of the file system that a file or folder is on; 0 where none is told.

    What is not there yet is on that of the nearest folder that is.
    """
    place = Path(os.path.abspath(path))
    while not place.exists() and place != place.parent:
        place = place.parent
    buffer = ctypes.create_string_buffer(_SIZE)
    try:
        failed = ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(place), buffer)
    except (OSError, AttributeError):  # no Linux
        return 0
    if failed:
        return 0
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF


def network_file_system(
    path: Path, type_of: Callable[[Path], int] = file_system_type
) -> str | None:
    """Returns the name of the network file system that a path is on; None where it is on none.

    Args:
        type_of: tells the `f_type` of a path.
    """
    return NETWORK.get(type_of(path))
