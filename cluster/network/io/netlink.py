"""Links, addresses and routes of the network namespace that one is in (rtnetlink(7)).

As much of it as pods in namespaces of their own need. Every call is one request and its answer,
which the kernel gives at once. OSError where it refuses.
"""

import errno
import os
import socket
import struct
from collections.abc import Sequence
from typing import Final

_NEWLINK, _DELLINK, _NEWADDR, _DELADDR, _NEWROUTE, _DELROUTE = 16, 17, 20, 21, 24, 25
_REQUEST, _ACK, _EXCL, _CREATE, _REPLACE = 0x1, 0x4, 0x200, 0x400, 0x100
_ERROR: Final = 2
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 4, 18, 28
_IFLA_GSO_MAX_SIZE: Final = 41
_INFO_KIND, _INFO_DATA = 1, 2
_VETH_PEER: Final = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_TABLE = 1, 4, 5, 15
_IFF_UP: Final = 1
_MAIN: Final = 254
_UNIVERSE, _LINK, _HOST = 0, 253, 254
_ONLINK: Final = 4
_HEADER = struct.Struct("=IHHII")
_LINK_MESSAGE = struct.Struct("=BxHiII")
_NESTED: Final = 0x8000


def index(name: str) -> int:
    """The number of an interface. OSError."""
    return socket.if_nametoindex(name)


def set_link(
    name: str, *, mac: bytes = b"", mtu: int = 0, gso_max: int = 0, up: bool | None = None
) -> None:
    """Change an interface: only what is given."""
    attributes = b""
    if mac:
        attributes += _attribute(_IFLA_ADDRESS, mac)
    if mtu:
        attributes += _attribute(_IFLA_MTU, struct.pack("=I", mtu))
    if gso_max:
        attributes += _attribute(_IFLA_GSO_MAX_SIZE, struct.pack("=I", gso_max))
    flags, change = (0, 0) if up is None else (_IFF_UP if up else 0, _IFF_UP)
    message = _LINK_MESSAGE.pack(socket.AF_UNSPEC, 0, index(name), flags, change)
    _ask(_NEWLINK, 0, message + attributes)


def add_veth(name: str, peer: str, peer_namespace: int) -> None:
    """A pair of interfaces: `name` is here, `peer` in the namespace of a file descriptor."""
    empty = _LINK_MESSAGE.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    other = (
        empty
        + _attribute(_IFLA_IFNAME, peer.encode() + b"\0")
        + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_namespace))
    )
    info = _attribute(_INFO_KIND, b"veth") + _attribute(
        _INFO_DATA | _NESTED, _attribute(_VETH_PEER | _NESTED, other)
    )
    message = (
        empty
        + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
        + _attribute(_IFLA_LINKINFO | _NESTED, info)
    )
    _ask(_NEWLINK, _CREATE | _EXCL, message)


def delete_link(name: str) -> None:
    """Remove an interface, and a veth's other end with it."""
    _ask(_DELLINK, 0, _LINK_MESSAGE.pack(socket.AF_UNSPEC, 0, index(name), 0, 0))


def add_address(name: str, address: bytes, length: int, *, broadcast: bytes = b"") -> None:
    """Give an interface an IPv4 address (four bytes) with its prefix."""
    attributes = _attribute(_IFA_LOCAL, address) + _attribute(_IFA_ADDRESS, address)
    if broadcast:
        attributes += _attribute(_IFA_BROADCAST, broadcast)
    scope = _HOST if name == "lo" else _UNIVERSE
    message = struct.pack("=BBBBI", socket.AF_INET, length, 0, scope, index(name))
    _ask(_NEWADDR, _CREATE | _REPLACE, message + attributes)


def delete_address(name: str, address: bytes, length: int) -> None:
    """Take an IPv4 address from an interface."""
    attributes = _attribute(_IFA_LOCAL, address) + _attribute(_IFA_ADDRESS, address)
    message = struct.pack("=BBBBI", socket.AF_INET, length, 0, 0, index(name))
    _ask(_DELADDR, 0, message + attributes)


def add_route(
    name: str, destination: bytes, length: int, gateway: bytes = b"", *, onlink: bool = False
) -> None:
    """Have packets for a range leave by an interface, by way of a gateway or directly."""
    attributes = _attribute(_RTA_OIF, struct.pack("=I", index(name)))
    attributes += _attribute(_RTA_TABLE, struct.pack("=I", _MAIN))
    if length:
        attributes += _attribute(_RTA_DST, destination)
    if gateway:
        attributes += _attribute(_RTA_GATEWAY, gateway)
    message = struct.pack(
        "=BBBBBBBBI",
        socket.AF_INET,
        length,
        0,
        0,
        _MAIN,
        3,  # RTPROT_BOOT, as `ip route`
        _UNIVERSE if gateway else _LINK,
        1,  # RTN_UNICAST
        _ONLINK if onlink else 0,
    )
    _ask(_NEWROUTE, _CREATE | _REPLACE, message + attributes)


def _attribute(kind: int, value: bytes) -> bytes:
    data = struct.pack("=HH", 4 + len(value), kind) + value
    return data + bytes(-len(data) % 4)


def _ask(kind: int, flags: int, body: bytes) -> None:
    message = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | _ACK | flags, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.bind((0, 0))
        link.settimeout(5.0)
        link.send(message)
        answer = link.recv(65536)
    for code in _errors(answer):
        if code:
            raise OSError(-code, os.strerror(-code))
        return
    raise OSError(errno.EIO, "rtnetlink did not answer")


def _errors(answer: bytes) -> Sequence[int]:
    """The codes of errors (0: done) in an answer."""
    found: list[int] = []
    at = 0
    while at + _HEADER.size + 4 <= len(answer):
        length, kind, *_ = _HEADER.unpack_from(answer, at)
        if kind == _ERROR:
            found.append(struct.unpack_from("=i", answer, at + _HEADER.size)[0])
        at += max(length + 3 & ~3, _HEADER.size)
    return found
