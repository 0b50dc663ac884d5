"""Carries questions to a model on this machine: an endpoint whose server is ours to start."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from calm.endpoint.faults import Transient
from calm.endpoint.transport import Transport
from calm.local.lease import ServerLease
from calm.local.machine import MAX_SLOTS


class LocalTransport(Transport):
    """Carries requests to a server that is started when the first is sent, and again if it dies.

    Args:
        lease: of the server; closed with the transport.
    """

    def __init__(self, lease: ServerLease, timeout: float = 600.0, cap: int = MAX_SLOTS) -> None:
        super().__init__("http://127.0.0.1/v1", key_env="", timeout=timeout, cap=cap)
        self.lease = lease
        self.address = f"local:{lease.weights.id}"
        """Instead of the base URL, which is another one each time."""

    async def open(self) -> None:
        """Waits until the server answers, and starts it if need be.

        Raises:
            UsageError, EndpointError: it can't be served, see `ServerLease`.
        """
        while not (address := self.lease.step()):
            await asyncio.sleep(0.1)
        if address != self._base_url:
            await super().aclose()  # connections to a server that is gone
            self._base_url = address

    async def _exchange(self, method: str, path: str, **content: Any) -> httpx2.Response:
        await self.open()
        try:
            return await super()._exchange(method, path, **content)
        except Transient as fault:
            if fault.kind == "connection" and not self.lease.alive():
                why = str(self.lease.state().get("why", "the server was killed"))
                raise Transient("connection", why, lost=fault.lost) from None
            raise

    async def aclose(self) -> None:
        """Closes the connections and gives the server up."""
        await super().aclose()
        self.lease.close()
