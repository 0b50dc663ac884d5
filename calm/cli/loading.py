"""Ends `calm` with one line if Ctrl-C or SIGTERM comes while it is still loading.

Nothing is imported here that takes time: until the signals are handled, Ctrl-C would show the place
in the imports where it came.
"""

import os
import signal
from types import FrameType

from calm.errors import INTERRUPTED, TERMINATED

_MESSAGE = b"calm: interrupted; everything done so far is kept.\n"


def _end(number: int, _: FrameType | None) -> None:
    try:  # noqa: SIM105 -- contextlib takes time to load
        os.write(2, _MESSAGE)
    except OSError:  # stderr may be closed
        pass
    os._exit(TERMINATED if number == signal.SIGTERM else INTERRUPTED)


def end_at_a_signal() -> None:
    """Lets Ctrl-C and SIGTERM end this process at once, with a message and exit code 130 or 143.

    Signals that are ignored, as those of a job under nohup, stay ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)


def raise_at_a_signal() -> None:
    """Takes `end_at_a_signal` back: Ctrl-C raises a KeyboardInterrupt from now on."""
    if signal.getsignal(signal.SIGTERM) is _end:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
