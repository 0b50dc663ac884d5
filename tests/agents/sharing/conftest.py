"""A hub on loopback, nothing of this user's own, and a run that is trained once."""

from tests.support.own_hub import empty_hub, nobody
from tests.support.small_run import run, trained_once

__all__ = ["empty_hub", "nobody", "run", "trained_once"]
