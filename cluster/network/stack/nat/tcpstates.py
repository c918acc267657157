"""What a firewall in the middle makes of a TCP connection: states and how long each is kept.

The states are those of Linux's nf_conntrack, whose names users know from `conntrack -L`. Sequence
numbers are not looked at (its `nf_conntrack_tcp_be_liberal`): the packets of a settled connection
are rewritten without coming here.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from cluster.network.wire import tcp


class State(Enum):
    """Where a connection stands. UDP, echoes and others have no state but NONE."""

    NONE = "NONE"
    SYN_SENT = "SYN_SENT"
    SYN_RECV = "SYN_RECV"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT = "FIN_WAIT"
    """One side has said that it is done."""
    CLOSE_WAIT = "CLOSE_WAIT"
    """And the other has acknowledged it."""
    LAST_ACK = "LAST_ACK"
    """Both have said it."""
    TIME_WAIT = "TIME_WAIT"
    CLOSE = "CLOSE"
    """It was reset."""
    SYN_SENT2 = "SYN_SENT2"
    """Both sides began at once."""


TIMEOUTS: Final[Mapping[State, float]] = {
    State.SYN_SENT: 120,
    State.SYN_RECV: 60,
    State.ESTABLISHED: 86400,
    State.FIN_WAIT: 120,
    State.CLOSE_WAIT: 3600,
    State.LAST_ACK: 30,
    State.TIME_WAIT: 120,
    State.CLOSE: 10,
    State.SYN_SENT2: 120,
}
"""Seconds without a packet after which a connection is forgotten.

Linux's defaults, but for the two that kube-proxy sets: a day instead of five (--conntrack-tcp-
timeout-established), an hour instead of a minute (--conntrack-tcp-timeout-close-wait).
"""


def begins_anew(state: State, flags: int, *, answer: bool) -> bool:
    """Whether a segment of a connection that is over begins the next one between the same ends.

    Linux lets a client do so after a reset only where it was its own; here one that was reset may
    find another backend at once.
    """
    if flags & (tcp.SYN | tcp.ACK | tcp.RST | tcp.FIN) != tcp.SYN:
        return False
    return state is State.TIME_WAIT or (state is State.CLOSE and not answer)


_SYN, _SYN_ACK, _FIN, _ACK = range(4)
_S = State
_FINS: Final = {
    _S.SYN_RECV: _S.FIN_WAIT,
    _S.ESTABLISHED: _S.FIN_WAIT,
    _S.FIN_WAIT: _S.LAST_ACK,
    _S.CLOSE_WAIT: _S.LAST_ACK,
}
_ACKS: Final = {
    _S.SYN_RECV: _S.ESTABLISHED,  # of the side that was called, where both sides called
    _S.FIN_WAIT: _S.CLOSE_WAIT,
    _S.LAST_ACK: _S.TIME_WAIT,
}
_MOVES: Final[Mapping[tuple[bool, int], Mapping[State, State]]] = {
    (False, _SYN): {},
    (False, _SYN_ACK): {_S.SYN_SENT2: _S.SYN_RECV},
    (False, _FIN): _FINS,
    (False, _ACK): _ACKS,
    (True, _SYN): {_S.SYN_SENT: _S.SYN_SENT2},
    (True, _SYN_ACK): {_S.SYN_SENT: _S.SYN_RECV, _S.SYN_SENT2: _S.SYN_RECV},
    (True, _FIN): _FINS,
    (True, _ACK): _ACKS,
}
"""By direction (True: of the side that was called) and kind of segment; else nothing changes."""


def first(flags: int) -> State | None:
    """The state that a first segment begins; None where it begins none.

    A plain one does: of a connection that was there before this node looked (nf_conntrack_tcp_
    loose).
    """
    if flags & tcp.RST:
        return None
    if flags & tcp.SYN:
        return None if flags & tcp.ACK else State.SYN_SENT
    if flags & tcp.FIN:
        return None
    return State.ESTABLISHED if flags & tcp.ACK else None


_BEGUN: Final = (_S.SYN_SENT, _S.SYN_SENT2)
_STRANGE: Final[Mapping[tuple[bool, int], frozenset[State]]] = {
    (False, _SYN): frozenset(),
    (False, _SYN_ACK): frozenset(State) - {_S.SYN_RECV, _S.SYN_SENT2},
    (False, _FIN): frozenset(_BEGUN),
    (False, _ACK): frozenset(_BEGUN),
    (True, _SYN): frozenset(State) - {*_BEGUN, _S.TIME_WAIT},
    (True, _SYN_ACK): frozenset(),
    (True, _FIN): frozenset(_BEGUN),
    (True, _ACK): frozenset(),
}
"""States in which a segment cannot be: it is dropped, and changes nothing."""


def after(state: State, flags: int, *, answer: bool) -> State | None:
    """The state after a segment of either direction (`answer`: of the side that was called).

    None where such a segment cannot be.
    """
    if flags & tcp.RST:
        return State.CLOSE
    if flags & tcp.SYN:
        kind = _SYN_ACK if flags & tcp.ACK else _SYN
    elif flags & tcp.FIN:
        kind = _FIN
    elif flags & tcp.ACK:
        kind = _ACK
    else:
        return None
    if state in _STRANGE[answer, kind]:
        return None
    return _MOVES[answer, kind].get(state, state)
