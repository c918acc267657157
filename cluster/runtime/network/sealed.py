"""The outside of a cluster that has none, as a lab's: every packet beyond is answered with
"network unreachable".
"""

from cluster.network.io.sockets import Stack
from cluster.network.stack.endhost.listener import Request
from cluster.network.stack.endpoint import Endpoint
from cluster.network.wire import icmp


class Sealed:
    """See above."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        host = stack.host
        host.on_request = self._requested
        host.on_datagram = _lost
        host.on_echo = _silent

    def close(self) -> None:
        """The node goes."""
        self.stack.close()

    @staticmethod
    def _requested(request: Request) -> None:
        request.unreachable(icmp.NETWORK_UNREACHABLE)


def _lost(_data: bytes, _source: Endpoint, _target: Endpoint) -> None:
    """A datagram to nowhere."""


def _silent(_now: float, _source: int, _target: int, _message: icmp.Message) -> None:
    """A ping to nowhere."""
