"""How long to wait for an acknowledgment (RFC 6298)."""

from typing import Final

from cluster.network.stack.tcp.settings import FIRST_RTO, LEAST_RTO, MOST_RTO

_ALPHA: Final = 1 / 8
_BETA: Final = 1 / 4


class Timeouts:
    """The estimate of a round trip, and the timeout that follows from it. Seconds."""

    __slots__ = ("_seconds", "backoff", "mean", "value", "variation")

    def __init__(self) -> None:
        self.mean = 0.0
        """SRTT; 0.0 while nothing was measured."""
        self.variation = 0.0
        self.backoff = 0
        """Timeouts in a row."""
        self._seconds = FIRST_RTO
        self.value = FIRST_RTO
        """RTO, backed off."""

    def measured(self, seconds: float) -> None:
        """A round trip of a segment that was sent once."""
        if not self.mean:
            self.mean = seconds
            self.variation = seconds / 2
        else:
            self.variation += _BETA * (abs(self.mean - seconds) - self.variation)
            self.mean += _ALPHA * (seconds - self.mean)
        # As Linux, the least is granted to the variation: a round trip of 1 s times out at 1.2 s.
        self._seconds = min(self.mean + max(4 * self.variation, LEAST_RTO), MOST_RTO)
        self.backoff = 0
        self.value = self._seconds

    def back_off(self) -> None:
        """It was not enough: wait twice as long."""
        self.backoff += 1
        self.value = min(self.value * 2, MOST_RTO)

    def settle(self) -> None:
        """The peer answers again: no backing off from here on."""
        if self.backoff:
            self.backoff = 0
            self.value = self._seconds
