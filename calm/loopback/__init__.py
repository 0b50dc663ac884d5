"""A chat completions server on loopback: a real HTTP server that behaves, or misbehaves on order.

For tests, the bench and trying things out without a key:

    from calm.loopback import Loopback

    with Loopback(rules={"pick up the key": (r"key .* enters the inventory",)}) as server:
        judge = make_judge("openai:any-name", base_url=server.url)

It runs in a thread of this process; `python -m calm.loopback --help` runs it in one of its own.
"""

from calm.loopback.answers import Rules, rule_answers
from calm.loopback.faults import FAULTS
from calm.loopback.server import Loopback

__all__ = ["FAULTS", "Loopback", "Rules", "rule_answers"]
