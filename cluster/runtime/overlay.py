"""The node's part in the pod network as its agent programs it: settings, peers, policies, with an
instance and a generation that say which tables they are.

Methods are those of `cluster.v1.Overlay`, on its messages, so that an agent in the same process
uses this object itself; `overlay_servicer` puts it on a gRPC server. What is programmed is kept
here; a `Carrier` carries it out.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from cluster.aio import rpc
from cluster.pb.cluster.v1 import overlay_pb2 as pb


@dataclass(slots=True)
class Members:
    """The addresses of a set, in order."""

    key: str
    addresses: dict[str, None]


@dataclass(slots=True)
class Tables:
    """What is programmed, by key."""

    peers: dict[str, pb.Peer] = field(default_factory=dict)
    sets: dict[str, Members] = field(default_factory=dict)
    policies: dict[str, pb.Policy] = field(default_factory=dict)


class Carrier(Protocol):
    """Who carries it out: `network.plant.Plant`. Must not block, but for `up`."""

    async def up(self, settings: pb.OverlaySettings) -> pb.Vtep:
        """Bring the back end up, in place of what there is. ValueError, OSError."""

    def program(self, tables: Tables, change: pb.UpdateOverlayRequest | None) -> None:
        """Because of a change, peers are such now, and sets and policies change by it; or (None)
        all tables are such. ValueError, and nothing done, where something of it cannot be.
        """


class Overlay:
    """Holds the tables. `carrier` is None where the machine takes part in no overlay."""

    def __init__(self, generator: random.Random, carrier: Carrier | None) -> None:
        self._random = generator
        self._carrier = carrier
        self._instance = ""
        self._generation = 0
        self._settings: pb.OverlaySettings | None = None
        self._vtep = pb.Vtep()
        self._configuring = asyncio.Lock()
        self._changed = asyncio.Event()
        self._closed = False
        self.tables = Tables()
        """What is programmed. Read-only."""

    @property
    def state(self) -> pb.OverlayState:
        """Which tables these are now."""
        return pb.OverlayState(
            instance=self._instance,
            generation=self._generation,
            configured=self._settings is not None,
        )

    async def configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Bring the back end up; what was programmed for another goes."""
        carrier = self._carries()
        async with self._configuring:
            if request.settings != self._settings:
                self._settings = None
                self.tables = Tables()
                self._instance = f"{self._random.getrandbits(64):016x}"
                self._generation = 0
                try:
                    self._vtep = await carrier.up(request.settings)
                except ValueError as error:
                    raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error
                except OSError as error:
                    raise rpc.Failure("FAILED_PRECONDITION", f"no overlay: {error}") from error
                self._settings = request.settings
                self._tell()
            return pb.ConfigureResponse(state=self.state, vtep=self._vtep)

    async def replace_overlay(
        self, requests: AsyncIterator[pb.ReplaceOverlayRequest]
    ) -> pb.OverlayState:
        """Take whole tables, in chunks. They change when the last chunk has come."""
        carrier = self._carries()
        instance, whole = "", pb.UpdateOverlayRequest()
        async for request in requests:
            instance = instance or request.instance
            self._check(instance)
            whole.set_peers.extend(request.peers)
            whole.set_sets.extend(request.sets)
            whole.set_policies.extend(request.policies)
        self._check(instance)
        tables = Tables()
        _change_peers(tables.peers, whole)
        _change_policies(tables, whole)
        _program(carrier, tables, None)
        self.tables = tables
        return self._commit()

    async def update_overlay(self, request: pb.UpdateOverlayRequest) -> pb.UpdateOverlayResponse:
        """Change entries, unless the tables are others than the caller expects."""
        carrier = self._carries()
        if self._settings is None or request.expected != self.state:
            return pb.UpdateOverlayResponse(applied=False, state=self.state)
        for one in request.changed_sets:
            if one.key not in self.tables.sets:
                raise rpc.Failure("INVALID_ARGUMENT", f"there is no set {one.key!r}")
        tables = Tables(dict(self.tables.peers), self.tables.sets, self.tables.policies)
        _change_peers(tables.peers, request)
        _program(carrier, tables, request)
        # Sets may be long: they are changed in their place, once nothing can fail any more.
        _change_policies(tables, request)
        self.tables = tables
        return pb.UpdateOverlayResponse(applied=True, state=self._commit())

    async def list_overlay(self, _request: pb.ListOverlayRequest) -> pb.ListOverlayResponse:
        """What is programmed, sorted by keys."""
        self._carries()
        tables = self.tables
        return pb.ListOverlayResponse(
            state=self.state,
            settings=self._settings,
            vtep=self._vtep,
            peers=[tables.peers[key] for key in sorted(tables.peers)],
            sets=[
                pb.AddressSet(key=key, addresses=tables.sets[key].addresses)
                for key in sorted(tables.sets)
            ],
            policies=[tables.policies[key] for key in sorted(tables.policies)],
        )

    async def watch_overlay(
        self, _request: pb.WatchOverlayRequest
    ) -> AsyncIterator[pb.OverlayState]:
        """The state now, then the latest state each time that it changed.

        rpc.Failure UNAVAILABLE ends it when the machine goes.
        """
        self._carries()
        return self._states()

    def close(self) -> None:
        """The machine is gone, and its tables with it: end all watches."""
        self._closed = True
        self._changed.set()

    async def _states(self) -> AsyncIterator[pb.OverlayState]:
        while not self._closed:
            changed = self._changed
            yield self.state
            await changed.wait()
        raise rpc.Failure("UNAVAILABLE", "the data plane has closed")

    def _check(self, instance: str) -> None:
        """Whether tables are for this life; not only at their end, for they may be long."""
        if self._settings is None or instance != self._instance:
            raise rpc.Failure("FAILED_PRECONDITION", f"there are no tables {instance!r} here")

    def _carries(self) -> Carrier:
        if self._carrier is None:
            raise rpc.Failure("UNIMPLEMENTED", "this machine takes part in no overlay")
        return self._carrier

    def _commit(self) -> pb.OverlayState:
        self._generation += 1
        self._tell()
        return self.state

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _program(carrier: Carrier, tables: Tables, change: pb.UpdateOverlayRequest | None) -> None:
    try:
        carrier.program(tables, change)
    except ValueError as error:
        raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error


def _change_peers(peers: dict[str, pb.Peer], change: pb.UpdateOverlayRequest) -> None:
    for name in change.removed_peers:
        peers.pop(name, None)
    peers.update((one.name, one) for one in change.set_peers)


def _change_policies(tables: Tables, change: pb.UpdateOverlayRequest) -> None:
    for each in change.set_sets:
        tables.sets[each.key] = Members(each.key, dict.fromkeys(each.addresses))
    for one in change.changed_sets:
        known = tables.sets[one.key].addresses
        for address in one.removed:
            known.pop(address, None)
        known.update(dict.fromkeys(one.added))
    for key in change.removed_policies:
        tables.policies.pop(key, None)
    tables.policies.update((one.key, one) for one in change.set_policies)
    for key in change.removed_sets:
        tables.sets.pop(key, None)
