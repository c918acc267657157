"""ARP for IPv4 over Ethernet (RFC 826), probes and announcements (RFC 5227)."""

import struct
from typing import NamedTuple

from cluster.network.wire import ethernet, mac

REQUEST = 1
REPLY = 2
LENGTH = 28
_PACKET = struct.Struct("!HHBBH6sI6sI")


class Packet(NamedTuple):
    """A question for who has `target`, or its answer."""

    operation: int
    sender_mac: bytes
    sender: int
    target_mac: bytes
    target: int


def parse(data: bytes, offset: int = ethernet.HEADER) -> Packet | None:
    """The packet at `offset`; None where it is none of IPv4 over Ethernet."""
    if len(data) < offset + LENGTH:
        return None
    hardware, protocol, hardware_length, length, *rest = _PACKET.unpack_from(data, offset)
    if hardware != 1 or protocol != ethernet.IPV4 or hardware_length != 6 or length != 4:
        return None
    return Packet._make(rest)


def build(packet: Packet) -> bytes:
    """The packet's bytes, without an Ethernet header."""
    return _PACKET.pack(1, ethernet.IPV4, 6, 4, *packet)


def request(sender_mac: bytes, sender: int, target: int) -> bytes:
    """The frame that asks everybody on the link who has `target`."""
    packet = Packet(REQUEST, sender_mac, sender, mac.ZERO, target)
    return ethernet.build(mac.BROADCAST, sender_mac, ethernet.ARP, build(packet))


def reply(question: Packet, owner: bytes) -> bytes:
    """The frame that answers a question: `owner` is the MAC of who has the address."""
    packet = Packet(REPLY, owner, question.target, question.sender_mac, question.sender)
    return ethernet.build(question.sender_mac, owner, ethernet.ARP, build(packet))


def announcement(owner: bytes, address: int) -> bytes:
    """The frame that tells everybody on the link who has `address` (a gratuitous ARP)."""
    packet = Packet(REQUEST, owner, address, mac.ZERO, address)
    return ethernet.build(mac.BROADCAST, owner, ethernet.ARP, build(packet))
