"""Seeing and breaking a node's part in the pod network: `cluster.v1.NetOps`, on its messages.

A caller in the same process (the lab) uses this object itself; `netops_servicer` puts it on a gRPC
server. What is needed for it is imported when it is first asked.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.pb.cluster.v1 import netops_pb2 as pb
from cluster.runtime.network.plant import Plant

if TYPE_CHECKING:
    from cluster.network.stack.impair import Impairment
    from cluster.runtime.network.capturing import Stream
    from cluster.runtime.network.links import Change, Links
    from cluster.runtime.network.node import Node

_CHUNK: Final = 1000
MAX_ECHO_SECONDS: Final = 60.0
MAX_ECHO_SIZE: Final = 65507
_MOST_SECONDS: Final = 60.0


class NetOps:
    """See above. `plant` is None where the machine takes part in no overlay."""

    def __init__(self, plant: Plant | None, clock: clocks.Clock) -> None:
        self._plant = plant
        self._clock = clock

    async def capture(self, request: pb.CaptureRequest) -> "Stream":
        """Batches of what interfaces see from now on."""
        from cluster.runtime.network import capturing

        return capturing.begin(self._node(), request, self._clock)

    async def list_routes(self, _request: pb.ListRoutesRequest) -> pb.ListRoutesResponse:
        """The routing table."""
        from cluster.runtime.network import rows

        return pb.ListRoutesResponse(routes=rows.routes(self._node()))

    async def list_neighbours(
        self, _request: pb.ListNeighboursRequest
    ) -> pb.ListNeighboursResponse:
        """Neighbours on cni0 and flannel.1."""
        from cluster.runtime.network import rows

        return pb.ListNeighboursResponse(neighbours=rows.neighbours(self._node(), _now()))

    async def list_fdb(self, _request: pb.ListFdbRequest) -> pb.ListFdbResponse:
        """The forwarding databases of cni0 and flannel.1."""
        from cluster.runtime.network import rows

        return pb.ListFdbResponse(entries=rows.fdb(self._node(), _now()))

    async def list_connections(
        self, _request: pb.ListConnectionsRequest
    ) -> AsyncIterator[pb.ListConnectionsResponse]:
        """What conntrack knows, as it is now, in chunks."""
        return self._connections(self._node())

    async def _connections(self, node: "Node") -> AsyncIterator[pb.ListConnectionsResponse]:
        from cluster.runtime.network import rows

        found = list(node.nat.conntrack.connections())
        for at in range(0, len(found), _CHUNK):
            now = _now()
            yield pb.ListConnectionsResponse(
                connections=[rows.connection(one, now) for one in found[at : at + _CHUNK]]
            )

    async def trace(self, request: pb.TraceRequest) -> pb.TraceResponse:
        """What this node would do with a packet."""
        node, links = self._node(), self._links()
        from cluster.runtime.network import tracing

        try:
            if request.WhichOneof("from") == "frame":
                return tracing.arrived(node, links, _now(), request.frame)
            if not node.has_pod(request.packet.source) and not self._is_node(request.packet.source):
                raise _no_pod(request.packet.source)
            return tracing.sent(node, links, _now(), request.packet)
        except ValueError as error:
            raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error

    async def echo(self, request: pb.EchoRequest) -> pb.EchoResponse:
        """One ping of a pod."""
        node = self._node()
        if node.is_kernels(request.source):
            raise rpc.Failure(
                "FAILED_PRECONDITION",
                f"the stack of {request.source} is the kernel's: ping inside of the pod, by exec",
            )
        space = node.holder(request.source)
        if space is None:
            raise _no_pod(request.source)
        seconds = min(request.timeout_seconds or 1.0, MAX_ECHO_SECONDS)
        ttl, size = request.ttl or 64, request.size
        if ttl > 255 or size > MAX_ECHO_SIZE:
            text = f"a ping has a TTL of 255 and {MAX_ECHO_SIZE} bytes at most"
            raise rpc.Failure("INVALID_ARGUMENT", text)
        begun = self._clock.now()
        try:
            found = await space.echo(request.destination, size, ttl=ttl, timeout=seconds)
        except TimeoutError:
            raise rpc.Failure("DEADLINE_EXCEEDED", "nothing came back in time") from None
        except OSError as error:
            raise rpc.Failure("UNAVAILABLE", error.strerror or str(error)) from error
        # By the clock: the loop's own time may count in milliseconds.
        seconds = max(self._clock.now() - begun, 0.0)
        return pb.EchoResponse(
            source=found.source, type=found.type, code=found.code, seconds=seconds,
            ttl=found.ttl, size=found.size,
        )  # fmt: skip

    async def set_links(self, request: pb.SetLinksRequest) -> pb.SetLinksResponse:
        """Make links bad, or good again."""
        node, links = self._node(), self._links()
        changes = [self._change(node, links, one) for one in request.changes]
        links.change(changes, heal_all=request.heal_all)
        return pb.SetLinksResponse()

    async def list_links(self, _request: pb.ListLinksRequest) -> pb.ListLinksResponse:
        """Links that are bad."""
        self._node()
        from cluster.runtime.network import tracing

        return pb.ListLinksResponse(links=[tracing.state(one) for one in self._links().rows()])

    def _change(self, node: "Node", links: "Links", one: pb.LinkChange) -> "Change":
        from cluster.runtime.network.links import POD, Change

        if one.link.startswith(POD):
            address = one.link.removeprefix(POD)
            if not node.has_pod(address):
                raise _no_pod(address)
        elif one.link not in node.datapath.peers.by_name and links.of(one.link) is None:
            known = ", ".join(node.datapath.peers.by_name) or "none"
            name = node.datapath.settings.name
            raise rpc.Failure(
                "NOT_FOUND", f"{name} has no link to {one.link!r}: the other nodes are {known}"
            )
        impairment = _impairment(one.impairment) if one.HasField("impairment") else None
        return Change(one.link, impairment, one.cut if one.HasField("cut") else None, one.seed)

    def _is_node(self, address: str) -> bool:
        node = self._node()
        return node.holder(address) is not None and not node.has_pod(address)

    def _node(self) -> "Node":
        if self._plant is None:
            raise rpc.Failure("UNIMPLEMENTED", "this machine takes part in no overlay")
        if self._plant.node is None:
            text = "the agent of this node (its kube-proxy) has not brought the overlay up"
            raise rpc.Failure("FAILED_PRECONDITION", text)
        return self._plant.node

    def _links(self) -> "Links":
        links = self._plant.links if self._plant is not None else None
        if links is None:
            raise rpc.Failure("FAILED_PRECONDITION", "there is no network yet")
        return links


def _impairment(one: pb.LinkImpairment) -> "Impairment":
    """rpc.Failure where it cannot be."""
    from cluster.network.stack.impair import Impairment

    if max(one.delay, one.jitter) > _MOST_SECONDS:
        raise rpc.Failure("INVALID_ARGUMENT", f"a delay is {_MOST_SECONDS:g} s at most")
    try:
        return Impairment(
            delay=one.delay, jitter=one.jitter, loss=one.loss, duplicate=one.duplicate,
            reorder=one.reorder, rate=one.rate,
        )  # fmt: skip
    except ValueError as error:
        raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error


def _no_pod(address: str) -> rpc.Failure:
    return rpc.Failure("NOT_FOUND", f"no pod of this node has the address {address!r}")


def _now() -> float:
    return asyncio.get_running_loop().time()
