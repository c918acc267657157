"""Who has which port of a pod, at which of its addresses. Pure: the rules of Linux' bind(2)."""

import errno
import functools
import ipaddress
from collections.abc import Mapping
from typing import Final, TypeVar

from cluster.runtime.podsockets import Listening, Udp
from cluster.runtime.vos import sockets
from cluster.runtime.vos.sockets import Endpoint

ANY: Final = {"": 0, "0.0.0.0": 4, "::": 6}
"""Addresses that stand for all; the family of each, 0 for both."""
_T = TypeVar("_T", Listening, Udp)


@functools.lru_cache(4096)
def plain(address: str) -> str:
    """An address in its normal form. OSError EINVAL."""
    if address in ANY:
        return "127.0.0.1" if address != "::" else "::1"
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise sockets.error(errno.EINVAL) from None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def is_loopback(address: str) -> bool:
    """Whether an address is one of the pod itself. Of 127.0.0.0/8 only the first 65,536 are: nodes
    have others.
    """
    return address.startswith("127.0.") or address == "::1"


def _covers(address: str) -> tuple[bool, bool]:
    """Whether a bound address is one of IPv4, and of IPv6."""
    family = ANY.get(address)
    if family is None:
        family = 6 if ":" in address else 4
    return family in (0, 4), family in (0, 6)


def _conflict(one: str, other: str) -> bool:
    if one == other:
        return True
    if one not in ANY and other not in ANY:
        return False
    return any(a and b for a, b in zip(_covers(one), _covers(other), strict=True))


def check(
    table: Mapping[int, Mapping[str, Listening]] | Mapping[int, Mapping[str, Udp]],
    port: int,
    address: str,
) -> None:
    """OSError EADDRINUSE, EINVAL."""
    if not 0 < port < 65536:
        raise sockets.error(errno.EINVAL)
    if any(_conflict(address, other) for other in table.get(port, ())):
        raise sockets.error(errno.EADDRINUSE)


def find(table: Mapping[int, dict[str, _T]], address: str, port: int) -> _T | None:
    """Who has a port at an address; an address of its own goes before all addresses."""
    bound = table.get(port)
    if not bound:
        return None
    every = "::" if ":" in address else "0.0.0.0"
    return bound.get(address) or bound.get(every) or bound.get("")


def drop(table: dict[int, dict[str, _T]], local: Endpoint) -> None:
    """Free a port at an address."""
    bound = table.get(local.port)
    if bound is not None:
        bound.pop(local.address, None)
        if not bound:
            del table[local.port]
