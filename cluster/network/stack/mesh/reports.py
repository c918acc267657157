"""What a node says of itself: how it is reached, and whom it cannot hear."""

import struct
from typing import Final, NamedTuple

from cluster.network.stack.peers import Peer
from cluster.network.wire import addresses
from cluster.network.wire.addresses import Prefix, mask

LONGEST_NAME: Final = 253
_PEER = struct.Struct("!IIIB6sIHHB")
_TURBO: Final = 1
LAST_VERSION: Final = (1 << 32) - 1


class Report(NamedTuple):
    """A node's word; of two of the same node the one with the higher version counts."""

    version: int
    peer: Peer
    missing: frozenset[str]
    """Nodes that report, and that it does not hear or is not heard by."""

    @property
    def name(self) -> str:
        """Of the node."""
        return self.peer.name


def encode(report: Report) -> bytes:
    """A report's bytes."""
    peer = report.peer
    fixed = _PEER.pack(
        report.version,
        peer.public,
        peer.network.network,
        peer.network.length,
        peer.vtep_mac or bytes(6),
        peer.vni,
        peer.port,
        peer.cable_port,
        _TURBO if peer.turbo else 0,
    )
    names = b"".join(text(name) for name in sorted(report.missing))
    count = len(report.missing).to_bytes(2, "big")
    return text(peer.name) + text(peer.host) + fixed + count + names


def decode(data: bytes, at: int) -> tuple[Report, int] | None:
    """The report at an offset, and where it ends; None where it is malformed."""
    name, at = text_at(data, at)
    host, at = text_at(data, at)
    if not name or at < 0 or len(data) < at + _PEER.size + 2:
        return None
    version, public, network, length, vtep_mac, vni, port, cable, flags = _PEER.unpack_from(
        data, at
    )
    at += _PEER.size
    count = int.from_bytes(data[at : at + 2], "big")
    at += 2
    missing = []
    for _ in range(count):
        other, at = text_at(data, at)
        if at < 0:
            return None
        missing.append(other)
    if length > 32 or network & ~mask(length) & 0xFFFFFFFF or vtep_mac[0] & 1 or vni >> 24:
        return None
    if host and not _is_address(host):
        return None  # a name would be looked up when something is sent there
    peer = Peer(
        name,
        public,
        Prefix(network, length),
        vtep_mac if any(vtep_mac) else b"",
        vni=vni,
        host=host,
        port=port,
        cable_port=cable,
        turbo=bool(flags & _TURBO),
    )
    return Report(version, peer, frozenset(missing)), at


def _is_address(host: str) -> bool:
    try:
        addresses.parse(host)
    except ValueError:
        return False
    return True


def text(value: str) -> bytes:
    """A short text's bytes."""
    raw = value.encode()[:255]
    return bytes((len(raw),)) + raw


def text_at(data: bytes, at: int) -> tuple[str, int]:
    """The text at an offset, and where it ends; -1 where it is malformed, then and after."""
    if at < 0 or at >= len(data):
        return "", -1
    end = at + 1 + data[at]
    if end > len(data):
        return "", -1
    try:
        return data[at + 1 : end].decode(), end
    except UnicodeDecodeError:
        return "", -1
