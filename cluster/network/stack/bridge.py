"""cni0: the bridge of a node's pods, with the node's own address on it.

Ports know their pods' addresses and MACs beforehand, so ARP does not search: a question goes to the
port that has the address and to nobody else, and where nobody is there yet, the bridge answers.
"""

from typing import Final

from cluster.network.stack import drops
from cluster.network.stack.drops import Drops
from cluster.network.stack.fdb import Fdb
from cluster.network.stack.neigh import Neighbours
from cluster.network.stack.outbox import Outbox
from cluster.network.stack.ports import Port
from cluster.network.stack.waiting import Waiting
from cluster.network.wire import arp, ethernet, mac
from cluster.network.wire.frame import Frame

_PROBE: Final = 0
"""The sender's address in a question of somebody who has none yet (RFC 5227)."""


class Bridge:
    """Ports, who is behind them, and ARP."""

    def __init__(self, mac: bytes, address: int, outbox: Outbox, drops: Drops) -> None:
        self.mac = mac
        self.address = address
        self.ports: dict[str, Port] = {}
        """All ports of the node, also those that are not on the bridge."""
        self.fdb = Fdb()
        self.neighbours: Neighbours[Waiting] = Neighbours()
        self._owners: dict[int, Port] = {}
        self._awake: dict[str, Port] = {}
        self._outbox = outbox
        self._drops = drops

    def add(
        self, now: float, name: str, mac: bytes, addresses: tuple[int, ...], *, asleep: bool
    ) -> list[Waiting]:
        """Plug a pod in. Returns the packets that waited for its addresses."""
        port = Port(name, mac, addresses, self._outbox.port(name), asleep=asleep)
        self.ports[name] = port
        if not asleep:
            self._awake[name] = port
        if not port.is_pod:
            return []
        self.fdb.add(now, mac, name)
        waited: list[Waiting] = []
        for address in addresses:
            self._owners[address] = port
            waited += self.neighbours.set(address, mac)
        return waited

    def remove(self, name: str) -> Port | None:
        """Unplug a pod."""
        port = self.ports.pop(name, None)
        if port is None:
            return None
        self._awake.pop(name, None)
        if port.is_pod:
            self.fdb.remove(port.mac, name)
            self.fdb.forget(name)
            for address in port.addresses:
                if self._owners.get(address) is port:
                    del self._owners[address]
                    self.neighbours.unset(address, port.mac)
        return port

    def owner(self, address: int) -> Port | None:
        """The port that has an address for certain."""
        return self._owners.get(address)

    def awaken(self, name: str) -> None:
        """Somebody is there from now on."""
        port = self.ports.get(name)
        if port is not None:
            port.asleep = False
            self._awake[name] = port

    def hear(self, now: float, port: Port, data: bytes) -> list[Waiting]:
        """A frame with ARP from a pod's port. Returns the packets that waited for what it says."""
        packet = arp.parse(data)
        if packet is None or mac.is_group(packet.sender_mac):
            self._drops.count(drops.MALFORMED)
            return []
        owner = self._owners.get(packet.sender)
        resolved: list[Waiting] = []
        if packet.sender != _PROBE and (owner is None or owner is port):
            told = packet.operation == arp.REPLY
            resolved = self.neighbours.learn(now, packet.sender, packet.sender_mac, asked_for=told)
        if packet.operation == arp.REQUEST:
            self._asked(port, packet, data)
        elif data[:6] != self.mac:
            self.switch(now, port, Frame(data))
        return resolved

    def _asked(self, port: Port, packet: arp.Packet, data: bytes) -> None:
        if packet.target == self.address:
            port.queue.push(Frame(arp.reply(packet, self.mac)))
            return
        owner = self._owners.get(packet.target)
        if owner is port:
            return  # an announcement, or a probe of the owner's own
        if owner is None:
            self.flood(port, Frame(data))
        elif owner.asleep:
            port.queue.push(Frame(arp.reply(packet, owner.mac)))
        else:
            owner.queue.push(Frame(data))

    def ask(self, address: int) -> None:
        """Ask all who are there for the MAC of an address."""
        self.flood(None, Frame(arp.request(self.mac, self.address, address)))

    def switch(self, now: float, port: Port, frame: Frame) -> None:
        """Hand a frame that is no IPv4 to the port of its MAC."""
        to = self.behind(now, port, frame.data[:6])
        if to is None:
            self._drops.count(drops.UNKNOWN_MAC)
        else:
            to.queue.push(frame)

    def behind(self, now: float, port: Port, mac: bytes) -> Port | None:
        """The port of a MAC; None where it is not known, or the one that the frame came from."""
        name = self.fdb.port(now, mac)
        return None if name is None or name == port.name else self.ports.get(name)

    def flood(self, port: Port | None, frame: Frame) -> None:
        """Hand a frame to every pod that is there, but not back to where it came from."""
        for other in self._awake.values():
            if other is not port and other.is_pod:
                other.queue.push(frame)

    @property
    def link(self) -> bytes:
        """What the source and type of Ethernet headers from the bridge are."""
        return self.mac + ethernet.IPV4.to_bytes(2, "big")
