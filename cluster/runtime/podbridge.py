"""The pods of one runtime by address, and what leads from them to all others (`Overlay`)."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from cluster.aio import tasks
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.podsockets import Buffers, Udp
from cluster.runtime.vos.sockets import Endpoint, Link, Neighbour, Route

if TYPE_CHECKING:
    from cluster.runtime.podnetwork import Namespace, Uplink

_PENDING: Final = 256
"""Datagrams that wait for somebody to wake."""


class Overlay(Protocol):
    """The node's network, which carries frames."""

    def joined(self, address: str) -> None:
        """A pod has this address. Nothing is made for it yet."""

    def left(self, address: str) -> None:
        """Nobody has it any more."""

    def entered(self) -> None:
        """The ports are others at which pods of the node's own network are reached."""

    def uplink(self, space: "Namespace") -> "Uplink":
        """The stack of a namespace; made when it is first needed."""

    def interface(self, address: str) -> Mapping[str, str | int]:
        """What the interface of a pod in a network namespace of the kernel's is to be: the fields
        of `network.io.plugging.Interface`, the MAC as text.
        """

    def attach(self, address: str, descriptor: int) -> None:
        """A pod has this address, whose frames come and go by a device. Owns the descriptor."""

    def translates(self, space: "Namespace") -> bool:
        """Whether what a namespace sends to its own addresses is translated: the node's is."""

    def links(self, space: "Namespace", held: Sequence[str]) -> Sequence[Link]:
        """The interfaces of a namespace with these addresses."""

    def routes(self, space: "Namespace", held: Sequence[str]) -> Sequence[Route]:
        """Its routing table."""

    def neighbours(self, space: "Namespace") -> Sequence[Neighbour]:
        """Its neighbours."""


class Bridge:
    """The pods of one runtime, by address. With an overlay, all of IPv4 between pods goes through
    their stacks; without one, and with IPv6, which no overlay carries, they reach each other in
    memory, and nothing else.
    """

    def __init__(self) -> None:
        self.overlay: Overlay | None = None
        self.wired: Callable[[Overlay | None], None] | None = None
        """Hears which overlay it is, for pods whose interfaces are the kernel's."""
        self.buffers = Buffers()
        self.networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
        """Those that pods have addresses of."""
        self.mapped: dict[str, Sequence[cri.PortMapping]] = {}
        """The ports of the node that lead to pods, by the pods' addresses."""
        self._on_node: dict[str, Sequence[cri.PortMapping]] = {}
        self._places: dict[str, Callable[[], Namespace]] = {}
        self._errands = tasks.Background("network", _failed)

    def join(self, addresses: Sequence[str], place: Callable[[], "Namespace"]) -> None:
        """Have addresses lead to a namespace, which is made when somebody wants it."""
        for address in addresses:
            self._places[address] = place
            if self.overlay is not None:
                self.overlay.joined(address)

    def leave(self, addresses: Sequence[str]) -> None:
        """These addresses lead nowhere any more."""
        for address in addresses:
            if self._places.pop(address, None) is not None and self.overlay is not None:
                self.overlay.left(address)

    @property
    def on_node(self) -> Iterator[cri.PortMapping]:
        """The ports of the node that pods of its own network declare."""
        for mapped in self._on_node.values():
            yield from mapped

    def set_on_node(self, sandbox: str, mapped: Sequence[cri.PortMapping]) -> None:
        """A sandbox of the node's own network declares these ports."""
        before = self._on_node.pop(sandbox, ())
        if mapped:
            self._on_node[sandbox] = mapped
        if (before or mapped) and self.overlay is not None:
            self.overlay.entered()

    def plug(self, overlay: "Overlay | None") -> None:
        """From now on frames are carried by this overlay, or by none."""
        self.overlay = overlay
        if overlay is not None:
            for address in self._places:
                overlay.joined(address)
        if self.wired is not None:
            self.wired(overlay)

    def prefix(self, address: str) -> int:
        """The length of the prefix of a pod's address."""
        found = ipaddress.ip_address(address)
        lengths = (one.prefixlen for one in self.networks if found in one)
        return next(lengths, found.max_prefixlen)

    def at(self, address: str) -> "Namespace | None":
        """The namespace that an address is reached in through memory; None where there is none."""
        if self.overlay is not None and ":" not in address:
            return None
        return self.holder(address)

    def holder(self, address: str) -> "Namespace | None":
        """The namespace that has an address; None where it is not on this node."""
        place = self._places.get(address)
        return place() if place is not None else None

    # ------------------------------------------------------------------------------------------

    def later(
        self, target: "Namespace", data: bytes, sender: Endpoint, to: Endpoint, socket: Udp
    ) -> None:
        """Deliver a datagram when its receiver has been woken; it is lost where many wait."""
        if len(self._errands) < _PENDING:
            self._errands.spawn(_deliver(target, data, sender, to, socket), f"udp/{to.port}")

    def close(self) -> None:
        """End what is under way."""
        self._errands.cancel()


async def _deliver(
    target: "Namespace", data: bytes, sender: Endpoint, to: Endpoint, socket: Udp
) -> None:
    await target.awake(to.port)
    if not target.deliver(data, sender, to):
        socket.refuse()


def _failed(name: str, error: BaseException) -> None:
    structlog.get_logger().error("a datagram was lost", task=name, error=repr(error))
