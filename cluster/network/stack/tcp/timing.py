"""What time does to a connection: it sends again, asks whether the window or the peer is there, and
gives up (RFC 6298; RFC 9293, 3.8.6.1; RFC 1122, 4.2.3.6).
"""

import errno
from typing import TYPE_CHECKING, Final

from cluster.network.stack.tcp import states
from cluster.network.stack.tcp.settings import LEAST_RTO, MOST_RTO

if TYPE_CHECKING:
    from cluster.network.stack.tcp.connection import Connection

_NEVER: Final = float("inf")


def tick(connection: "Connection", now: float) -> None:
    """See `Connection.tick`."""
    if now >= connection.ack_at:
        connection.ack_at = _NEVER
        connection.acknowledge()
    timeout = connection.outbound.timeout_at
    if timeout is not None and now >= timeout:
        _timed_out(connection, now)
    if now >= connection.persist_at:
        _probe_window(connection, now)
    if now >= connection.linger_at:
        connection.over(0)
    if connection.keep_alive and now >= connection.keepalive_at:
        _probe_life(connection, now)


def _timed_out(connection: "Connection", now: float) -> None:
    outbound, settings = connection.outbound, connection.settings
    connecting = connection.state in (states.SYN_SENT, states.SYN_RECEIVED)
    most = settings.syn_retries if connecting else settings.retries
    if connection.orphan:
        most = settings.orphan_retries
    if outbound.timeouts.backoff >= most:
        connection.over(connection.soft_error or errno.ETIMEDOUT)
        return
    if connecting:
        outbound.timeouts.back_off()
        connection.syn_due = True
        outbound.timeout_at = None
    else:
        outbound.timed_out(now)
    connection.want()


def _probe_window(connection: "Connection", now: float) -> None:
    """Ask whether the peer's window is open again; a little may go in if it is."""
    outbound, settings = connection.outbound, connection.settings
    if not outbound.blocked:
        connection.persist_at = _NEVER
        return
    most = settings.orphan_retries if connection.orphan else settings.retries
    if connection.probes > most:
        connection.over(connection.soft_error or errno.ETIMEDOUT)
        return
    connection.probes += 1
    wait = max(outbound.timeouts.value, LEAST_RTO) * (1 << min(connection.probes, 16))
    connection.persist_at = now + min(wait, MOST_RTO)
    forced = outbound.forced()
    if forced is None:
        connection.probe(now, outbound.unacknowledged - 1)
        return
    connection.force(now, *forced)
    outbound.timeout_at = now + outbound.timeouts.value
    connection.persist_at = _NEVER


def _probe_life(connection: "Connection", now: float) -> None:
    if connection.probes >= connection.settings.keepalive_probes:
        connection.over(errno.ETIMEDOUT)
        return
    connection.probes += 1
    connection.probe(now, connection.outbound.next - 1)
