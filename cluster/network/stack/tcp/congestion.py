"""The congestion window: slow start, avoidance, and what losses do to it (RFC 5681, NewReno)."""

from typing import Final

_INFINITE: Final = 1 << 62


class NewReno:
    """How much may be under way. Bytes."""

    __slots__ = ("_counted", "largest", "mss", "threshold", "window")

    def __init__(self, mss: int, largest: int) -> None:
        self.mss = mss
        self.window = initial(mss)
        self.threshold = _INFINITE
        self.largest = largest
        """It grows no further: more than the buffers hold cannot be under way."""
        self._counted = 0

    def acknowledged(self, count: int) -> None:
        """New data arrived at the peer, and the window was what held us back."""
        if self.window < self.threshold:
            # RFC 3465 with L = 2 counts at most two segments an acknowledgment, lest a burst
            # follow; an acknowledgment of a peer that joins segments stands for many, as in Linux.
            self.window = min(self.window + count, max(self.threshold, self.window), self.largest)
            return
        self._counted += count
        if self._counted >= self.window:
            self._counted -= self.window
            self.window = min(self.window + self.mss, self.largest)

    def lost(self, flight: int) -> None:
        """Some was lost, and others arrive: go on with half of what is under way."""
        self.threshold = max(flight // 2, 2 * self.mss)
        self.window = self.threshold
        self._counted = 0

    def timed_out(self, flight: int, *, first: bool) -> None:
        """Nothing arrives: begin anew with one segment."""
        if first:
            self.threshold = max(flight // 2, 2 * self.mss)
        self.window = self.mss
        self._counted = 0

    def rested(self) -> None:
        """Nothing was sent for a timeout or longer: what was learned is stale (RFC 5681, 4.1)."""
        self.window = min(self.window, initial(self.mss))

    def resize(self, mss: int) -> None:
        """The path takes smaller segments than was thought."""
        self.mss = mss
        self.window = max(self.window, mss)


def initial(mss: int) -> int:
    """What may be sent before anything is known (RFC 6928)."""
    return min(10 * mss, max(2 * mss, 14600))
