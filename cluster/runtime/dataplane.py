"""The node's service table: what kube-proxy programmed, with a generation that says which it is.

Methods are those of `cluster.v1.DataPlane`, on its messages, so that a kube-proxy in the same
process uses this object itself; `dataplane_servicer` puts it on a gRPC server.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

from cluster.aio import rpc
from cluster.pb.cluster.v1 import dataplane_pb2 as pb


class Listener(Protocol):
    """Who carries the table out. Must not block."""

    def replaced(self, services: Iterable[pb.ServicePort]) -> None:
        """This is the whole table."""

    def updated(self, put: Iterable[pb.ServicePort], removed: Iterable[str]) -> None:
        """Some entries changed; unknown keys of removed ones are passed over."""


class DataPlane:
    """Holds the service table. Each life of a data plane has its own instance id.

    Entries that were taken in are shared with readers: copy before changing one.
    """

    def __init__(self, generator: random.Random) -> None:
        self._instance = f"{generator.getrandbits(64):016x}"
        self._generation = 0
        self._services: dict[str, pb.ServicePort] = {}
        self._changed = asyncio.Event()
        self._closed = False
        self.listener: Listener | None = None

    @property
    def state(self) -> pb.ServicesState:
        """Which table this is now."""
        return pb.ServicesState(instance=self._instance, generation=self._generation)

    @property
    def services(self) -> Mapping[str, pb.ServicePort]:
        """The entries by key, in the order in which they were programmed. Read-only."""
        return self._services

    async def replace_services(
        self, requests: AsyncIterator[pb.ReplaceServicesRequest]
    ) -> pb.ServicesState:
        """Take a whole table, in chunks. The table changes when the last chunk has come."""
        table: dict[str, pb.ServicePort] = {}
        async for request in requests:
            _put(table, request.services)
        self._services = table
        if self.listener is not None:
            self.listener.replaced(table.values())
        return self._commit()

    async def update_services(self, request: pb.UpdateServicesRequest) -> pb.UpdateServicesResponse:
        """Change entries, unless the table is another one than the caller expects."""
        if request.expected != self.state:
            return pb.UpdateServicesResponse(applied=False, state=self.state)
        for key in request.removed:
            self._services.pop(key, None)
        _put(self._services, request.set)
        if self.listener is not None:
            self.listener.updated(request.set, request.removed)
        return pb.UpdateServicesResponse(applied=True, state=self._commit())

    async def get_service(self, request: pb.GetServiceRequest) -> pb.GetServiceResponse:
        """One entry by its key, or an answer without one."""
        return pb.GetServiceResponse(service=self._services.get(request.key), state=self.state)

    async def list_services(self, request: pb.ListServicesRequest) -> pb.ListServicesResponse:
        """The entries of a namespace, or all, sorted by key."""
        chosen = [
            self._services[key]
            for key in sorted(self._services)
            if request.namespace in ("", self._services[key].namespace)
        ]
        return pb.ListServicesResponse(services=chosen, state=self.state)

    async def watch_services(
        self, _request: pb.WatchServicesRequest
    ) -> AsyncIterator[pb.ServicesState]:
        """The state now, then the latest state each time that it changed.

        rpc.Failure UNAVAILABLE ends it when the data plane closes.
        """
        return self._states()

    def close(self) -> None:
        """The machine is gone, and its service table with it: end all watches."""
        self._closed = True
        self._changed.set()

    async def _states(self) -> AsyncIterator[pb.ServicesState]:
        while not self._closed:
            changed = self._changed
            yield self.state
            await changed.wait()
        raise rpc.Failure("UNAVAILABLE", "the data plane has closed")

    def _commit(self) -> pb.ServicesState:
        self._generation += 1
        self._changed.set()
        self._changed = asyncio.Event()
        return self.state


def _put(table: dict[str, pb.ServicePort], entries: Iterable[pb.ServicePort]) -> None:
    for entry in entries:
        table[entry.key] = entry
