"""What a segment that arrives does to a connection (RFC 9293, 3.10.7; RFC 5961; RFC 7323).

`receive` first tries the way of nearly all segments: established, in order, nothing special.
"""

import errno
from typing import TYPE_CHECKING, Final

from cluster.network.stack.tcp import events, plain, states
from cluster.network.stack.tcp.segment import HALF, MASK, Segment, signed
from cluster.network.stack.tcp.settings import CHALLENGE_SECONDS, DELAYED_ACK, PAWS_SECONDS
from cluster.network.wire import tcp

if TYPE_CHECKING:
    from cluster.network.stack.tcp.connection import Connection

_NEVER: Final = float("inf")
_TELLING: Final = tcp.SYN | tcp.FIN | tcp.RST | tcp.ACK
_READABLE: Final = events.READABLE
_SPECIAL: Final = tcp.SYN | tcp.FIN | tcp.RST
_OVER: Final = frozenset((states.CLOSED, states.TIME_WAIT))
_QUIET: Final = 0.2
"""After so long without data a long segment is acknowledged at once: its sender may have a window
of one, and more to send. A short one is a question, whose answer acknowledges it.
"""
_LONG: Final = 536


def receive(connection: "Connection", now: float, segment: Segment) -> None:
    """See `Connection.receive`."""
    if segment.sack or not predicted(
        connection,
        now,
        segment.flags,
        segment.sequence,
        segment.acknowledgment,
        segment.window,
        segment.payload,
        segment.stamps,
    ):
        consider(connection, now, segment)


def consider(connection: "Connection", now: float, segment: Segment) -> None:
    """`receive`, of a segment that was not `predicted`."""
    connection.calm = False
    state = connection.state
    if state == states.SYN_SENT:
        _answer(connection, now, segment)
        return
    if state in _OVER:
        return
    inbound = connection.inbound
    position = inbound.position(segment.sequence)
    flags = segment.flags
    if connection.stamped and not _stamps(connection, now, segment, position):
        return
    size = len(segment.payload) + (flags & tcp.FIN)
    if (
        position != inbound.next or position + size > inbound.edge or flags & _SPECIAL
    ) and not _acceptable(connection, now, segment, position, size):
        return
    if not flags & tcp.ACK:
        return
    connection.heard_at = now
    connection.probes = 0
    if not _acknowledge(connection, now, segment, position):
        return
    if segment.payload and not _data(connection, now, segment, position):
        return
    if flags & tcp.FIN and position + size - 1 <= inbound.edge:
        inbound.ends(position + size - 1)
        connection.acknowledge()
    if inbound.fin >= 0 and inbound.reach_fin():
        _peer_ended(connection)


def predicted(  # noqa: PLR0917  (a segment's fields: to make an object of them costs as much)
    connection: "Connection",
    now: float,
    flags: int,
    sequence: int,
    acknowledgment: int,
    told: int,
    payload: bytes | bytearray,
    stamps: tuple[int, int] | None,
) -> bool:
    """The way of nearly all segments: the next one in order, and nothing special (the "header
    prediction" of old), without SACK. False, and nothing has happened, where more is to be looked
    at. `told`: the window as in the header.
    """
    if not (connection.calm or plain.settled(connection)):
        return False
    inbound, outbound = connection.inbound, connection.outbound
    position = inbound.next
    size = len(payload)
    known = outbound.unacknowledged
    count = (acknowledgment - outbound.start - known) & MASK
    if (
        sequence != (inbound.start + position) & MASK
        or flags & _TELLING != tcp.ACK
        or count > outbound.next - known
        or not (count or size)
        or position + size > inbound.edge
    ):
        return False
    if connection.stamped:
        if stamps is None or (stamps[0] - connection.recent) & MASK >= HALF:
            return False
        if position <= connection.told:
            connection.recent = stamps[0]
            connection.recent_at = now
    connection.heard_at = now
    connection.probes = 0
    reached = known + count
    if count:
        _more_arrived(connection, now, reached)
    window = told << outbound.scale
    if reached + window != outbound.limit:
        if count and not outbound.buffer.size:  # nothing waits for it
            outbound.limit = reached + window
            if window > outbound.widest:  # noqa: PLR1730  (a call costs more)
                outbound.widest = window
        else:
            _window(connection, position, reached, window, advanced=count > 0)
    connection.window_at = position
    if size:
        inbound.next = position + size
        inbound.buffer.put(payload)
        connection.memory.used += size
        connection.events |= _READABLE
        _schedule(connection, now, size)
    return True


def _more_arrived(connection: "Connection", now: float, reached: int) -> None:
    """`_advance`, where all is calm."""
    outbound = connection.outbound
    outbound.advance(now, reached)
    if reached + outbound.buffer.size > outbound.next:
        connection.want()
    if connection.full:
        connection.freed()
    connection.soft_error = 0


# ---- is it acceptable? ---------------------------------------------------------------------------


def _stamps(connection: "Connection", now: float, segment: Segment, position: int) -> bool:
    """Whether the segment is young enough, by its timestamp (PAWS); remembers the timestamp."""
    stamps = segment.stamps
    if stamps is None:
        return bool(segment.flags & tcp.RST)
    value = stamps[0]
    if (value - connection.recent) & MASK >= HALF:
        if segment.flags & tcp.RST or now - connection.recent_at > PAWS_SECONDS:
            return True
        _repeat(connection, now, data=bool(segment.payload))
        return False
    if position <= connection.told:
        connection.recent = value
        connection.recent_at = now
    return True


def _acceptable(
    connection: "Connection", now: float, segment: Segment, position: int, size: int
) -> bool:
    """Whether the segment is within the window, and neither a SYN nor a reset."""
    inbound, flags = connection.inbound, segment.flags
    within = position + size >= inbound.next and position <= inbound.edge
    if flags & tcp.RST:
        if position == inbound.next:
            _reset(connection)
        elif within:
            _repeat(connection, now, data=False)
        return False
    if flags & tcp.SYN:
        return _acceptable_syn(connection, now, segment, position)
    if not within:
        if position < inbound.next and segment.payload:
            inbound.duplicate = (position, position + len(segment.payload))
        _repeat(connection, now, data=bool(segment.payload))
        return False
    return True


def _acceptable_syn(connection: "Connection", now: float, segment: Segment, position: int) -> bool:
    """Whether a SYN counts: as the answer of a peer who connects to us while we do to him."""
    if connection.state != states.SYN_RECEIVED or position != 0:
        _repeat(connection, now, data=False)
        return False
    if segment.flags & tcp.ACK:
        connection.acknowledge()
        return True
    connection.syn_due = True
    connection.want()
    return False


def _reset(connection: "Connection") -> None:
    closing = connection.state in (states.CLOSING, states.LAST_ACK)
    ended = closing or (connection.orphan and connection.outbound.flight == 0)
    if connection.state == states.CLOSE_WAIT:
        connection.over(errno.EPIPE)
    else:
        connection.over(0 if ended else errno.ECONNRESET)


def _repeat(connection: "Connection", now: float, *, data: bool) -> None:
    """Say once more where we are; not too often about what carries no data (RFC 5961, 7)."""
    if not data:
        if now - connection.challenged_at < CHALLENGE_SECONDS:
            return
        connection.challenged_at = now
    connection.acknowledge_apart(now)


# ---- what it acknowledges ------------------------------------------------------------------------


def _acknowledge(connection: "Connection", now: float, segment: Segment, position: int) -> bool:
    """Take in what the segment acknowledges; whether the rest of it counts."""
    outbound = connection.outbound
    known = outbound.unacknowledged
    reached = outbound.position(segment.acknowledgment)
    if reached > outbound.next or reached < known - max(outbound.widest, 65535):
        _repeat(connection, now, data=False)
        return False
    if connection.state == states.SYN_RECEIVED:
        if reached < 1:
            return False
        connection.establish(now)
        connection.window_at = position
        if outbound.ended:
            connection.state = states.FIN_WAIT_1
    news = bool(segment.sack) and outbound.selective and outbound.arrived(segment.sack)
    window = segment.window << outbound.scale
    if reached > known:
        _advance(connection, now, segment.stamps, reached)
    elif reached == known and outbound.next > known:
        same = reached + window == outbound.limit and not segment.payload
        if news or (same and not outbound.selective and not segment.flags & _SPECIAL):
            outbound.repeated()
            outbound.detect()
            connection.want()
    if reached >= known:
        _window(connection, position, reached, window, advanced=reached > known)
    return connection.state != states.CLOSED


def _advance(
    connection: "Connection", now: float, stamps: tuple[int, int] | None, reached: int
) -> None:
    outbound = connection.outbound
    echoed = -1.0
    if outbound.timeouts.backoff and connection.stamped and stamps is not None:
        echoed = ((connection.stamp(now) - stamps[1]) & MASK) / 1000
    outbound.acknowledged(now, reached, echoed)
    if outbound.board.total or outbound.phase:
        outbound.detect()
    if outbound.phase or (
        (outbound.buffer.size or outbound.ended) and outbound.next < outbound.end
    ):
        connection.want()
    if connection.full:
        connection.freed()
    connection.soft_error = 0
    if outbound.ended and reached == outbound.end and connection.state in states.ACKNOWLEDGED:
        _our_end_arrived(connection, now)


def _our_end_arrived(connection: "Connection", now: float) -> None:
    connection.state = states.ACKNOWLEDGED[connection.state]
    if connection.state == states.CLOSED:
        connection.over(0)
    elif connection.state == states.TIME_WAIT:
        connection.want()
    elif connection.orphan:
        connection.linger_at = now + connection.settings.fin_timeout


def _window(
    connection: "Connection",
    position: int,
    reached: int,
    window: int,
    *,
    advanced: bool,
) -> None:
    """Take the peer's window, unless the segment is older than the last that told it."""
    outbound = connection.outbound
    limit = reached + window
    newer = position > connection.window_at or (
        position == connection.window_at and limit > outbound.limit
    )
    if not (advanced or newer):
        return
    connection.window_at = position
    if limit != outbound.limit:
        grown = limit > outbound.limit
        outbound.limit = limit
        if window > outbound.widest:  # noqa: PLR1730  (a call costs more)
            outbound.widest = window
        if grown and outbound.next < outbound.end:
            connection.persist_at = _NEVER
            connection.want()


# ---- what it carries -----------------------------------------------------------------------------


def _data(connection: "Connection", now: float, segment: Segment, position: int) -> bool:
    """Take the payload; whether the connection goes on."""
    inbound = connection.inbound
    payload = segment.payload
    if connection.orphan and position + len(payload) > inbound.next:
        # Nobody will ever read it (RFC 9293, 3.6.1, and RFC 1122, 4.2.2.13).
        connection.reset()
        connection.over(0)
        return False
    if connection.state not in states.FINISHED:
        return True  # after the peer's FIN there is no more data
    behind = inbound.gap
    progress = inbound.put(position, payload)
    if not progress:
        if connection.outbound.selective and inbound.gap:
            connection.acknowledge()  # blocks tell all of a batch at once
        else:
            connection.acknowledge_apart(now)
        return True
    connection.events |= events.READABLE
    if behind:
        connection.acknowledge()
    _schedule(connection, now, len(payload))
    return True


def _schedule(connection: "Connection", now: float, size: int) -> None:
    """Have new data acknowledged: two segments at once, one a little later."""
    if not connection.unacked and size < _LONG and size <= connection.typical:
        # The first, and a short one: nothing of the following.
        connection.unacked = size
        connection.received_at = now
        if connection.ack_at == _NEVER:
            connection.ack_at = now + DELAYED_ACK
        return
    unacked = connection.unacked = connection.unacked + size
    if size > connection.typical:
        connection.typical = min(size, connection.inbound.mss)
    if unacked >= connection.typical << 1 or (
        size >= _LONG and now - connection.received_at > _QUIET
    ):
        connection.acknowledge()
    elif connection.ack_at == _NEVER:
        connection.ack_at = now + DELAYED_ACK
    connection.received_at = now


def _peer_ended(connection: "Connection") -> None:
    following = states.FINISHED.get(connection.state)
    if following is None:
        return
    connection.state = following
    connection.events |= events.READABLE
    connection.acknowledge()


# ---- the answer to our SYN -----------------------------------------------------------------------


def _answer(connection: "Connection", now: float, segment: Segment) -> None:
    """A segment arrives while our SYN is unanswered (RFC 9293, 3.10.7.3)."""
    outbound, flags = connection.outbound, segment.flags
    acknowledged = bool(flags & tcp.ACK)
    if acknowledged and signed(segment.acknowledgment - outbound.start) != 1:
        return  # the stack answers by a reset: it is none of ours
    if flags & tcp.RST:
        if acknowledged:
            connection.over(errno.ECONNREFUSED)
        return
    if not flags & tcp.SYN:
        return
    connection.answer(segment, now)
    connection.heard_at = connection.received_at = now
    if acknowledged:
        connection.syn_due = False
        outbound.acknowledged(now, 1, -1.0)
        connection.establish(now)
        if outbound.ended:
            connection.state = states.FIN_WAIT_1
        connection.acknowledge()
    else:
        outbound.timeout_at = None  # both connect at once: our SYN goes again, as an answer
