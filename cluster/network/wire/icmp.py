"""ICMP (RFC 792): echoes, and errors that quote what they are about."""

import struct
from typing import NamedTuple

from cluster.network.wire import checksums, ipv4

HEADER = 8
ECHO_REPLY = 0
UNREACHABLE = 3
REDIRECT = 5
ECHO_REQUEST = 8
TIME_EXCEEDED = 11
PARAMETER_PROBLEM = 12

NETWORK_UNREACHABLE = 0
HOST_UNREACHABLE = 1
PROTOCOL_UNREACHABLE = 2
PORT_UNREACHABLE = 3
FRAGMENTATION_NEEDED = 4
ADMINISTRATIVELY_PROHIBITED = 13
TTL_EXCEEDED = 0
REASSEMBLY_TIME_EXCEEDED = 1

ERRORS = frozenset((UNREACHABLE, 4, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM))
"""Types about which no error is ever sent (RFC 1122, 3.2.2)."""
QUOTED = 576 - ipv4.HEADER - HEADER
"""Bytes of a packet that an error quotes at most (RFC 1812, 4.3.2.3)."""
_HEADER = struct.Struct("!BBHI")


class Message(NamedTuple):
    """One message. `rest` is the header's second word: of an echo, identifier << 16 | sequence."""

    type: int
    code: int
    rest: int
    payload: bytes

    @property
    def identifier(self) -> int:
        """Of an echo: whose it is."""
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        """Of an echo: the how many-th it is."""
        return self.rest & 0xFFFF

    @property
    def mtu(self) -> int:
        """Of FRAGMENTATION_NEEDED: the next hop's MTU (RFC 1191); 0 where it does not say."""
        return self.rest & 0xFFFF


def parse(data: bytes, start: int = 0, end: int = -1, *, verify: bool = True) -> Message | None:
    """The message `data[start:end]` (-1: to the end); None if it is short or its checksum wrong."""
    body = data[start:] if end < 0 else data[start:end]
    if len(body) < HEADER or (verify and checksums.total(body) % 0xFFFF):
        return None
    type_, code, _, rest = _HEADER.unpack_from(body)
    return Message(type_, code, rest, body[HEADER:])


def build(type: int, code: int, rest: int, payload: bytes) -> bytes:
    """A message with its checksum."""
    value = (type << 8 | code) + (rest >> 16) + (rest & 0xFFFF) + checksums.total(payload)
    return _HEADER.pack(type, code, checksums.fold(value) ^ 0xFFFF, rest) + payload


def error(type: int, code: int, packet: bytes, *, mtu: int = 0) -> bytes:
    """An error about an IPv4 packet (from its header on), quoting its beginning."""
    return build(type, code, mtu, packet[:QUOTED])


def quoted(message: Message) -> ipv4.Header | None:
    """The header of the packet that an error is about, with offsets into `message.payload`.

    `end` is where that packet would end, so mostly past the quotation. None where the header is
    malformed or fewer than 8 bytes of its payload are there. NAT may have left the header's own
    checksum wrong, which is not looked at.
    """
    payload = message.payload
    if len(payload) < ipv4.HEADER:
        return None
    length = int.from_bytes(payload[2:4], "big")
    start = (payload[0] & 0xF) << 2
    if len(payload) < start + 8:
        return None
    whole = payload if len(payload) >= length else payload + bytes(length - len(payload))
    return ipv4.parse(whole, 0, verify=False)


def may_be_answered_by_error(data: bytes, header: ipv4.Header) -> bool:
    """Whether an error may be sent about a packet (RFC 1122, 3.2.2), as far as the packet tells.

    Never about an error, a fragment but the first, or what comes from or goes to no single host.
    """
    if header.fragment & ipv4.OFFSET_MASK or header.source == 0:
        return False
    if header.destination >> 28 >= 0xE or header.source >> 28 >= 0xE:
        return False
    if header.protocol == ipv4.ICMP:
        return header.payload < header.end and data[header.payload] not in ERRORS
    return True
