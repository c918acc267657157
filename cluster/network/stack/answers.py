"""ICMP errors that a node sends about packets that it could not send on."""

from collections.abc import Mapping
from typing import Final

from cluster.network.stack.allowance import Allowance
from cluster.network.stack.forwarding import Answer, Device
from cluster.network.stack.router import LOOPBACK, WIRE
from cluster.network.wire import icmp, ipv4, offload
from cluster.network.wire.frame import Frame
from cluster.network.wire.ipv4 import Header

_PRECEDENCE: Final = 0xC0
"""The TOS of errors: internetwork control (RFC 1812, 4.3.2.5)."""


class Answers:
    """Makes errors, not more than the limit."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        self._devices = devices
        self.allowance = Allowance()
        self._identification = 0

    def about(
        self, now: float, frame: Frame, header: Header, answer: Answer, device: str, *, local: bool
    ) -> bytes | None:
        """The IPv4 packet to the sender of a packet that came in by a device.

        None where there may be none. `local`: the packet was for the node itself, which answers
        with the address that was asked.
        """
        if not icmp.may_be_answered_by_error(frame.data, header):
            return None
        if not self.allowance.take(now):
            return None
        quoted = frame.data[header.offset : header.end]
        if frame.csum_start:
            quoted = offload.complete(frame)[header.offset : header.end]
        message = icmp.error(answer.type, answer.code, quoted, mtu=answer.mtu)
        at = WIRE if device == LOOPBACK else device
        self._identification = (self._identification + 1) & 0xFFFF
        source = header.destination if local else self._devices[at].address
        return (
            ipv4.header(
                source,
                header.source,
                ipv4.ICMP,
                len(message),
                tos=_PRECEDENCE,
                identification=self._identification,
                fragment=0,
            )
            + message
        )
