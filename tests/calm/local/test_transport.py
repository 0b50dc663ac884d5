"""The way to a model on this machine: its server is started when the first request is sent."""

import asyncio
import json
from pathlib import Path

from calm.local.transport import LocalTransport
from tests.support.standin import lease_of


def test_a_server_is_started_for_the_first_request_and_ends_with_the_transport(
    tmp_path: Path,
) -> None:
    lease = lease_of(tmp_path)
    transport = LocalTransport(lease, timeout=60)
    assert transport.address == f"local:{lease.weights.id}"
    assert not lease.alive()

    async def ask() -> bytes:
        try:
            return await transport.get("/models")
        finally:
            assert lease.alive()
            await transport.aclose()

    listed = json.loads(asyncio.run(ask()))
    assert listed["data"] == [{"id": f"local:{lease.weights.id}"}]
    lease.wait_for_end()
    assert not lease.alive()
