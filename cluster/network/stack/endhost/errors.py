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
