"""The states of a connection (RFC 9293, 3.3.2), with the kernel's words, and their groups.

LISTEN is a listener's and TIME-WAIT a record's (`timewait`): a connection passes through TIME_WAIT
only to say so.
"""

from typing import Final

CLOSED: Final = "CLOSE"
SYN_SENT: Final = "SYN_SENT"
SYN_RECEIVED: Final = "SYN_RECV"
ESTABLISHED: Final = "ESTABLISHED"
FIN_WAIT_1: Final = "FIN_WAIT1"
FIN_WAIT_2: Final = "FIN_WAIT2"
CLOSE_WAIT: Final = "CLOSE_WAIT"
CLOSING: Final = "CLOSING"
LAST_ACK: Final = "LAST_ACK"
TIME_WAIT: Final = "TIME_WAIT"

TRANSFERRING: Final = frozenset(
    (ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK)
)
"""Segments with data or a FIN may go, for the first time or again."""
SYNCHRONIZED: Final = TRANSFERRING | {SYN_RECEIVED, TIME_WAIT}
"""The peer knows of the connection, so a reset means something to it."""
SENDING: Final = frozenset((SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT))
"""The application may send: what it sends before the handshake waits for it."""

ENDED: Final = {
    SYN_SENT: SYN_SENT,
    SYN_RECEIVED: SYN_RECEIVED,
    ESTABLISHED: FIN_WAIT_1,
    CLOSE_WAIT: LAST_ACK,
}
"""What follows when the application sends nothing more."""
ACKNOWLEDGED: Final = {FIN_WAIT_1: FIN_WAIT_2, CLOSING: TIME_WAIT, LAST_ACK: CLOSED}
"""What follows when the peer has our FIN."""
FINISHED: Final = {
    ESTABLISHED: CLOSE_WAIT,
    FIN_WAIT_1: CLOSING,
    FIN_WAIT_2: TIME_WAIT,
}
"""What follows when we have the peer's FIN."""
