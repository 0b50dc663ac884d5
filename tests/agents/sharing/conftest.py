"""A hub on loopback, and nothing of this user's own."""

from tests.support.own_hub import empty_hub, nobody

__all__ = ["empty_hub", "nobody"]
