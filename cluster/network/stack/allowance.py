"""How many errors of ICMP a host or a node sends: a bucket of tokens, as Linux'."""


class Allowance:
    """So many a second, and a few at once (net.ipv4.icmp_msgs_per_sec, icmp_msgs_burst)."""

    __slots__ = ("_at", "_left", "burst", "rate", "refused")

    def __init__(self, rate: float = 1000.0, burst: float = 50.0) -> None:
        self.rate = rate
        self.burst = burst
        self.refused = 0
        """How many were not sent because of it."""
        self._left = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is allowed now."""
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True
