"""The short way out: all that is to go is one segment with data and nothing special, as nearly all
that is asked and answered. No object is made of it.
"""

from typing import TYPE_CHECKING, Final

from cluster.network.stack.tcp import states
from cluster.network.stack.tcp.segment import MASK
from cluster.network.wire import tcp

if TYPE_CHECKING:
    from cluster.network.stack.tcp.connection import Connection

_NEVER: Final = float("inf")
_PUSHED: Final = tcp.ACK | tcp.PSH
Plain = tuple[int, int, int, int, int, int, bytes]
"""A segment with timestamps and no other options: flags, sequence number, acknowledgment, window,
our timestamp, the peer's that it echoes, payload.
"""


def settled(connection: "Connection") -> bool:
    """Whether nothing special is going on, neither way, so that the short ways may be taken: `pull`
    here, and `arrivals.predicted`. It is remembered in `calm` until anything else is done.
    """
    inbound = connection.inbound
    connection.calm = (
        connection.state == states.ESTABLISHED
        and not connection.orphan
        and not connection.immediate
        and not inbound.ahead
        and inbound.duplicate is None
        and inbound.fin < 0
        and connection.outbound.calm
    )
    return connection.calm


def pull(connection: "Connection", now: float, clock: int) -> Plain | None:
    """`Connection.pull` where that is one such segment. None, and nothing has happened, where more
    is to be looked at. `clock`: `now` in whole milliseconds.
    """
    if not (connection.calm or settled(connection)) or not connection.stamped:
        return None
    inbound, outbound = connection.inbound, connection.outbound
    start = outbound.alone(now)
    if start < 0:
        return None
    connection.queued = connection.ack_now = False
    connection.told = there = inbound.next
    connection.unacked = 0
    connection.ack_at = _NEVER
    return (
        _PUSHED,
        (outbound.start + start) & MASK,
        (inbound.start + there) & MASK,
        inbound.window(),
        (connection.clock + clock) & MASK,
        connection.recent,
        outbound.buffer.part(start - outbound.base, outbound.next - outbound.base),
    )
