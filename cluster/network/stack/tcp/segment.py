"""What a connection reads and makes: a segment without ports, its options read."""

from typing import Final, NamedTuple

MASK: Final = 0xFFFFFFFF
HALF: Final = 0x80000000


class Offer(NamedTuple):
    """What a SYN says of its sender."""

    mss: int = 536
    """RFC 9293, 3.7.1: where nothing is said."""
    scale: int = -1
    """-1: windows are not scaled."""
    sack: bool = False


class Segment:
    """One segment; sequence numbers and window as on the wire."""

    __slots__ = (
        "acknowledgment",
        "flags",
        "gso_size",
        "offer",
        "payload",
        "sack",
        "sequence",
        "stamps",
        "window",
    )

    def __init__(  # noqa: PLR0917  (one is made for each segment: keywords cost)
        self,
        flags: int,
        sequence: int,
        acknowledgment: int,
        window: int,
        payload: bytes | bytearray = b"",
        stamps: tuple[int, int] | None = None,
        sack: tuple[tuple[int, int], ...] = (),
        offer: Offer | None = None,
        gso_size: int = 0,
    ) -> None:
        self.flags = flags
        self.sequence = sequence
        self.acknowledgment = acknowledgment
        self.window = window
        self.payload = payload
        self.stamps = stamps
        """The sender's clock, and the peer's value that it echoes (RFC 7323)."""
        self.sack = sack
        self.offer = offer
        """Of a SYN."""
        self.gso_size = gso_size
        """Over 0: to be cut into segments of so many bytes."""

    def __repr__(self) -> str:
        names = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
        flags = "|".join(name for bit, name in enumerate(names) if self.flags >> bit & 1)
        return (
            f"<{flags} seq={self.sequence} ack={self.acknowledgment} win={self.window}"
            f" len={len(self.payload)}{f' sack={self.sack}' if self.sack else ''}>"
        )


def signed(distance: int) -> int:
    """A difference of sequence numbers as the nearest of the ints that it stands for."""
    return ((distance + HALF) & MASK) - HALF
