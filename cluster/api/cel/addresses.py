"""IP addresses and CIDRs: `cidr("10.0.0.0/8").containsIP("10.1.2.3")`."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, strings_cost
from cluster.api.cel.values import Opaque

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class IP(Opaque):
    """An address."""

    __slots__ = ("address",)
    kind = "net.IP"

    def __init__(self, address: _Address) -> None:
        self.address = address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IP) and other.address == self.address

    def __hash__(self) -> int:
        return hash(self.address)


class CIDR(Opaque):
    """An address with the length of its prefix; the bits after the prefix are kept."""

    __slots__ = ("address", "network")
    kind = "net.CIDR"

    def __init__(self, address: _Address, network: _Network) -> None:
        self.address = address
        self.network = network

    @property
    def text(self) -> str:
        """`10.1.0.0/16`."""
        return f"{self.address}/{self.network.prefixlen}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CIDR) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def _ip(text: str) -> IP:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise EvaluationError(
            f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"): '
            "unable to parse IP"
        ) from None
    if "%" in text:
        raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return IP(address)


def _is_ip(text: str) -> bool:
    try:
        _ip(text)
    except EvaluationError:
        return False
    return True


def _cidr(text: str) -> CIDR:
    address, slash, size = text.partition("/")
    wrong = EvaluationError(
        f'network address parse error during conversion from string: netip.ParsePrefix("{text}")'
    )
    # Python also takes masks for sizes; CIDRs have a number without leading zeros.
    if not slash or not size.isascii() or not size.isdigit() or str(int(size[:4])) != size:
        raise wrong
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise wrong from None
    return CIDR(_ip(address).address, network)


def _is_cidr(text: str) -> bool:
    try:
        _cidr(text)
    except EvaluationError:
        return False
    return True


def _is_canonical(text: str) -> bool:
    return str(_ip(text).address) == text


def _contains_ip(net: CIDR, one: IP) -> bool:
    return one.address in net.network


def _contains_cidr(net: CIDR, other: CIDR) -> bool:
    if net.network.version != other.network.version:
        return False
    inside = other.network.network_address in net.network
    return inside and other.network.prefixlen >= net.network.prefixlen


def _masked(net: CIDR) -> CIDR:
    return CIDR(net.network.network_address, net.network)


def _local_multicast(one: IP) -> bool:
    if one.address.version == 4:
        return one.address in ipaddress.ip_network("224.0.0.0/24")
    return one.address.is_multicast and one.address.packed[1] & 0x0F == 2


def _global_unicast(one: IP) -> bool:
    """As Go has it: any unicast address that is not link local, loopback or unspecified."""
    at = one.address
    limited = at == ipaddress.IPv4Address("255.255.255.255")
    return not (
        at.is_unspecified or at.is_loopback or at.is_multicast or at.is_link_local or limited
    )


def _contains_cost(args: Sequence[Any]) -> int:
    extra = len(args[1]) if isinstance(args[1], str) else 0
    return 4 + -(-extra // 10)


def overloads() -> list[Overload]:
    """What the library declares."""
    cost = strings_cost()
    return [
        declare("ip(string) -> ip", _ip, cost),
        declare("isIP(string) -> bool", _is_ip, cost),
        declare("(string) -> bool", _is_canonical, strings_cost(0.2), name="ip.isCanonical"),
        declare("string(ip) -> string", lambda one: str(one.address)),
        declare("ip.family() -> int", lambda one: one.address.version),
        declare("ip.isUnspecified() -> bool", lambda one: one.address.is_unspecified),
        declare("ip.isLoopback() -> bool", lambda one: one.address.is_loopback),
        declare("ip.isLinkLocalMulticast() -> bool", _local_multicast),
        declare("ip.isLinkLocalUnicast() -> bool", lambda one: one.address.is_link_local),
        declare("ip.isGlobalUnicast() -> bool", _global_unicast),
        declare("cidr(string) -> cidr", _cidr, cost),
        declare("isCIDR(string) -> bool", _is_cidr, cost),
        declare("string(cidr) -> string", lambda net: net.text),
        declare("cidr.containsIP(ip) -> bool", _contains_ip, _contains_cost),
        declare("cidr.containsIP(string) -> bool", lambda net, text: _contains_ip(net, _ip(text)),
                _contains_cost),
        declare("cidr.containsCIDR(cidr) -> bool", _contains_cidr, _contains_cost),
        declare("cidr.containsCIDR(string) -> bool",
                lambda net, text: _contains_cidr(net, _cidr(text)), _contains_cost),
        declare("cidr.ip() -> ip", lambda net: IP(net.address)),
        declare("cidr.masked() -> cidr", _masked),
        declare("cidr.prefixLength() -> int", lambda net: net.network.prefixlen),
    ]  # fmt: skip
