"""Stops a process by Ctrl-C or SIGTERM: once, cleanly, and wherever Python is when it comes."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

AGAIN_S = 0.05
"""Seconds after which an interrupt that was swallowed is raised once more."""


def treat_sigterm_as_ctrl_c(signals: list[int]) -> None:
    """Makes SIGTERM, as `kill` and job schedulers send it, stop this process as Ctrl-C would.

    Args:
        signals: gets the signal's number once it has come.
    """

    def stop(number: int, _: FrameType | None) -> None:
        signals.append(number)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a script's `calm ... &` has it
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stop)
        _leave_sigterm_to_forked_children()


def _leave_sigterm_to_forked_children() -> None:
    """Lets SIGTERM end a forked child at once: its parent ends it so, and nobody reads its words.

    The signal is held back over the fork, so that none is lost between two ways to treat it.
    """
    masks: list[set[int | signal.Signals]] = []

    def before() -> None:
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]))

    def after() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

    def in_child() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        after()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=in_child)


def raise_swallowed_again() -> None:
    """Has a KeyboardInterrupt raised once more that came where Python lets none out.

    A signal's handler runs wherever the main thread is. In a destructor or in a callback of a weak
    reference, such as the import system has for each module, Python prints what is raised, drops
    it, and the work would run on as if nobody had asked it to stop. The main thread calls this.
    """
    hook_before = sys.unraisablehook

    def again(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, again)
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            hook_before(unraisable)

    sys.unraisablehook = hook
