"""Errors of ICMP, as they reach the sockets that they are about."""

import errno
from typing import Final, NamedTuple

from cluster.network.stack.endpoint import Endpoint
from cluster.network.wire import icmp

_UNREACHABLE: Final = {
    icmp.NETWORK_UNREACHABLE: errno.ENETUNREACH,
    icmp.HOST_UNREACHABLE: errno.EHOSTUNREACH,
    icmp.PROTOCOL_UNREACHABLE: errno.ENOPROTOOPT,
    icmp.PORT_UNREACHABLE: errno.ECONNREFUSED,
    icmp.FRAGMENTATION_NEEDED: errno.EMSGSIZE,
}


class IcmpError(NamedTuple):
    """An error about something that was sent."""

    type: int
    code: int
    reporter: int
    """Who sent it: a router on the way, or the host itself."""
    local: Endpoint
    target: Endpoint
    """To whom it was sent."""
    mtu: int = 0
    """Of FRAGMENTATION_NEEDED: what the next link takes; 0 where it does not say."""

    @property
    def number(self) -> int:
        """The errno that Linux gives for it (`icmp_err_convert`)."""
        if self.type == icmp.UNREACHABLE:
            return _UNREACHABLE.get(self.code, errno.EHOSTUNREACH)
        return errno.EPROTO if self.type == icmp.PARAMETER_PROBLEM else errno.EHOSTUNREACH


class Allowance:
    """So many a second, and a few at once (net.ipv4.icmp_msgs_per_sec, icmp_msgs_burst)."""

    __slots__ = ("_at", "_left", "burst", "rate", "refused")

    def __init__(self, rate: float = 1000.0, burst: float = 50.0) -> None:
        self.rate = rate
        self.burst = burst
        self.refused = 0
        self._left = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is allowed now."""
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True
