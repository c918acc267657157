"""What comes in by a link: what is no IPv4 for the node ends here, the rest takes the slow path."""

from collections.abc import Mapping
from typing import Final

from cluster.network.stack import drops, flows
from cluster.network.stack.bridge import Bridge
from cluster.network.stack.drops import Drops
from cluster.network.stack.forwarding import Device
from cluster.network.stack.ports import HOST, Port
from cluster.network.stack.router import BRIDGE, LOOPBACK, WIRE
from cluster.network.stack.slowpath import SlowPath
from cluster.network.wire import arp, ethernet
from cluster.network.wire.frame import Frame

_IPV4: Final = ethernet.IPV4.to_bytes(2, "big")
_ARP: Final = ethernet.ARP.to_bytes(2, "big")
_IPV6: Final = ethernet.IPV6.to_bytes(2, "big")


class Ingress:
    """The links of one node."""

    def __init__(
        self, devices: Mapping[str, Device], bridge: Bridge, slow: SlowPath, drops: Drops
    ) -> None:
        self._devices = devices
        self._bridge = bridge
        self._slow = slow
        self._drops = drops

    def from_port(self, now: float, port: Port, frame: Frame) -> None:
        """A frame of a port; what is learned of its flow is the port's."""
        data = frame.data
        kind = data[12:14]
        if len(data) < ethernet.HEADER:
            self._drops.count(drops.MALFORMED)
        elif kind == _IPV6:
            self._drops.count(drops.IPV6)
        elif not port.is_pod:
            self._from_own(now, port, frame)
        elif kind == _ARP:
            self._slow.resolved(now, self._bridge.hear(now, port, data))
        else:
            self._from_pod(now, port, frame)

    def _from_pod(self, now: float, port: Port, frame: Frame) -> None:
        data, bridge = frame.data, self._bridge
        if data[6:12] != port.mac:
            bridge.fdb.learn(now, data[6:12], port.name)
        if data[:6] == bridge.mac:
            if data[12:14] == _IPV4:
                self._slow.take(now, BRIDGE, frame, port.flows, pod=port)
            else:
                self._drops.count(drops.PROTOCOL)
        elif data[0] & 1:
            bridge.flood(port, frame)
        elif data[12:14] != _IPV4:
            bridge.switch(now, port, frame)
        else:
            to = bridge.behind(now, port, data[:6])
            if to is None:
                self._drops.count(drops.UNKNOWN_MAC)
            else:
                self._slow.take(now, BRIDGE, frame, port.flows, switched=to.name, pod=port)

    def _from_own(self, now: float, port: Port, frame: Frame) -> None:
        """A frame of the node's own stack, or of the outside's."""
        device = LOOPBACK if port.name == HOST else WIRE
        kind = frame.data[12:14]
        if kind == _ARP:
            self._answer_for_all(port, frame.data)
        elif frame.data[0] & 1 or kind != _IPV4:
            self._drops.count(drops.MULTICAST if kind == _IPV4 else drops.PROTOCOL)
        else:
            self._slow.take(now, device, frame, port.flows)

    def _answer_for_all(self, port: Port, data: bytes) -> None:
        """At `host` and `outside` every address is behind the node, but the port's own."""
        question = arp.parse(data)
        if question is None:
            self._drops.count(drops.MALFORMED)
        elif question.operation == arp.REQUEST and question.target not in (
            question.sender,
            *port.addresses,
        ):
            device = self._devices[BRIDGE if port.name == HOST else WIRE]
            port.queue.push(Frame(arp.reply(question, device.mac)))

    def from_link(
        self, now: float, device: str, frame: Frame, known: dict[bytes, flows.Flow]
    ) -> None:
        """A frame from another node, by its VTEP or by the wire."""
        data = frame.data
        kind = data[12:14]
        if len(data) < ethernet.HEADER:
            self._drops.count(drops.MALFORMED)
        elif data[:6] != self._devices[device].mac:
            self._drops.count(drops.MULTICAST if data[0] & 1 else drops.NOT_FOR_US)
        elif kind != _IPV4:
            self._drops.count(drops.IPV6 if kind == _IPV6 else drops.PROTOCOL)
        else:
            self._slow.take(now, device, frame, known)
