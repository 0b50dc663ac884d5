"""Ctrl-C in a process that trains: once, however often it is sent."""

import signal

import pytest

from agents.parallel import _interrupt_once


def test_a_second_ctrl_c_does_not_end_what_the_first_one_began() -> None:
    before = signal.getsignal(signal.SIGINT)
    saved = []
    try:
        _interrupt_once()
        try:
            signal.raise_signal(signal.SIGINT)
            pytest.fail("not interrupted")
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)
            saved.append("checkpoint")
    finally:
        signal.signal(signal.SIGINT, before)
    assert saved == ["checkpoint"]
