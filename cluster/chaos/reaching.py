"""What both kinds of real clusters share: telling nodes of their links, API servers of their
faults, and asking ports as a client outside does.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import grpc

from cluster.chaos import acts
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act
from cluster.chaos.world import Unable
from cluster.client import channel
from cluster.client.channel import ChannelTls
from cluster.pb.cluster.v1 import chaos_pb2, chaos_pb2_grpc, netops_pb2, netops_pb2_grpc

T = TypeVar("T")

SECONDS: Final = 10.0
"""How long a process may take to answer."""
_SOON: Final = 2.0
"""How long it may take where the answer is only for the report."""
_LONGEST_LINE: Final = 4096
_GONE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@dataclass(slots=True)
class Doors:
    """Where the services of a cluster are: API servers by the name of their process, runtimes by
    their node. Channels are opened when they are first needed.
    """

    api_servers: Mapping[str, str] = field(default_factory=dict)
    tls: ChannelTls | None = None
    runtimes: Mapping[str, str] = field(default_factory=dict)
    _channels: dict[str, Any] = field(default_factory=dict)

    async def close(self) -> None:
        """Let all go."""
        for one in self._channels.values():
            await one.close()

    def lacks(self, act: Act) -> str:
        """Why there is no door for an act; "" where there is one."""
        name = act.member
        if act.op == acts.LINKS and name not in self.runtimes:
            return f"node {name} has no network of its own to be broken"
        if act.op in (acts.FAULTS, acts.DISK) and name not in self.api_servers:
            there = ", ".join(self.api_servers) or "none"
            return f"{name} is no API server that can be reached: there is {there}"
        return ""

    async def set_links(self, act: Act) -> None:
        """Tell a node of its links. Unable; a machine that is down, or is none, has no links to
        heal.
        """
        if not self._known(act):
            return
        address = self.runtimes[act.member]
        stub = netops_pb2_grpc.NetOpsStub(self._channel(address, None))
        good = heals(act)
        try:
            await stub.SetLinks(links_request(act), timeout=SECONDS, wait_for_ready=not good)
        except grpc.aio.AioRpcError as error:
            # One that is only slow to answer keeps its links as they are.
            if not good or error.code() not in _GONE or await _listens(address):
                raise Unable(f"{act.member}: {error.details()}") from error

    async def set_faults(self, act: Act) -> None:
        """Tell an API server of a fault, or that it is over. Unable; one that is down has none,
        nor has who is no API server.
        """
        if not self._known(act):
            return
        stub = chaos_pb2_grpc.ChaosStub(self._channel(self.api_servers[act.member], self.tls))
        request = fault_request(act)
        if request is None:
            clear = chaos_pb2.ClearFaultsRequest(ids=[act.id] if act.id else [])
            await _answered(stub.ClearFaults(clear, timeout=SECONDS), act.member, gone_is_good=True)
            return
        call = stub.SetFault(request, timeout=SECONDS, wait_for_ready=True)
        await _answered(call, act.member)

    async def struck(self, act: Act) -> int | None:
        """To how many requests an API server has done what it was told; None: it does not say."""
        if self.lacks(act):
            return None
        stub = chaos_pb2_grpc.ChaosStub(self._channel(self.api_servers[act.member], self.tls))
        try:
            found = await stub.ListFaults(chaos_pb2.ListFaultsRequest(), timeout=_SOON)
        except grpc.aio.AioRpcError:
            return None
        return hits(act, found.faults)

    def _known(self, act: Act) -> bool:
        """Whether there is a door. Unable where there is none, and more to do than to undo."""
        lacks = self.lacks(act)
        if lacks and not acts.undoes(act):
            raise Unable(lacks)
        return not lacks

    def _channel(self, address: str, tls: ChannelTls | None) -> Any:
        if address not in self._channels:
            self._channels[address] = channel.connect([address], tls)
        return self._channels[address]


def links_request(act: Act) -> Any:
    """What a node is told of its links (cluster.v1.SetLinksRequest)."""
    return netops_pb2.SetLinksRequest(changes=[_change(one) for one in act.links])


def no_disk(name: str) -> str:
    """What is said of a store whose disk cannot be bad."""
    return f"the store of {name} is no file of SQLite, and only those have a bad disk"


def heals(act: Act) -> bool:
    """Whether an act makes links good: there is no need of that where the machine is down."""
    return all(not one.cut and one.how in (None, ex.Link()) for one in act.links)


def fault_request(act: Act) -> Any:
    """What an API server is told of a fault (cluster.v1.SetFaultRequest); None: that it is over."""
    if act.api is None and act.disk is None:
        return None
    told = chaos_pb2.SetFaultRequest(id=act.id, seconds=act.seconds)
    if act.disk is not None:
        told.disk.full, told.disk.latency = act.disk.full, act.disk.latency
    if act.api is not None:
        told.api.CopyFrom(_api(act.api))
    return told


def hits(act: Act, states: Iterable[Any]) -> int | None:
    """How many requests a fault was done to, of the states (cluster.v1.FaultState) of all that are
    in effect; None where it is none of them.
    """
    return next((int(one.requests) for one in states if one.id == act.id), None)


async def ask(address: str, port: int, request: bytes, within: float) -> bytes:
    """See `World.ask`, by a socket of this machine."""
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection(address, port, limit=_LONGEST_LINE)
        try:
            writer.write(request)
            await writer.drain()
            try:
                return await reader.readline()
            except ValueError as error:  # the line is longer than any status line
                raise OSError(str(error)) from error
        finally:
            writer.transport.abort()


async def _listens(address: str) -> bool:
    """Whether connections are taken at an address of gRPC, or nobody knows."""
    kind, _, rest = address.partition(":")
    try:
        async with asyncio.timeout(SECONDS):
            if kind == "unix":
                _, writer = await asyncio.open_unix_connection(rest)
            else:
                host, _, port = address.rpartition(":")
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:  # a TimeoutError, too
        return True
    writer.transport.abort()
    return True


async def _answered(call: Awaitable[T], who: str, *, gone_is_good: bool = False) -> T | None:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if gone_is_good and error.code() in _GONE:
            return None
        raise Unable(f"{who}: {error.details()}") from error


def _change(one: Any) -> Any:
    change = netops_pb2.LinkChange(link=one.link, cut=one.cut)
    if one.how is not None:
        how = one.how
        change.impairment.CopyFrom(
            netops_pb2.LinkImpairment(
                delay=how.delay, jitter=how.jitter, loss=how.loss, duplicate=how.duplicate,
                reorder=how.reorder, rate=how.rate,
            )
        )  # fmt: skip
        change.seed = one.link
    return change


def _api(fault: ex.ApiFault) -> Any:
    return chaos_pb2.ApiFault(
        users=fault.users, verbs=fault.verbs, resources=fault.resources, share=fault.share,
        code=fault.code, latency=fault.latency, drop_watches=fault.drop_watches,
        delay_watches=fault.delay_watches, stale=fault.stale,
    )  # fmt: skip
