"""How fast nodes of a zone get their NoExecute taints: a queue behind a token bucket, as data.

When many nodes fall silent at once, the fault is likelier in the network or in the control plane
than in every node; pods should then not be evicted all at once.
"""

from dataclasses import dataclass, field

BURST = 1
"""Tokens that a bucket holds: one node at once, the next at the zone's rate."""


@dataclass(slots=True)
class Pace:
    """A zone's queue of node names. `rate` is in nodes a second; 0 stops."""

    rate: float
    updated: float
    tokens: float = BURST
    queue: dict[str, str] = field(default_factory=dict)
    """Names to uids, first come first served."""
    taken: dict[str, str] = field(default_factory=dict)
    """Nodes that were let through and not removed since: they do not queue again."""

    def add(self, name: str, uid: str) -> bool:
        """Queue a node; False where it is queued or was let through already."""
        if self.queue.get(name) == uid or self.taken.get(name) == uid:
            return False
        self.queue[name] = uid
        return True

    def remove(self, name: str) -> bool:
        """Forget a node; whether it was queued or let through."""
        queued = self.queue.pop(name, None) is not None
        taken = self.taken.pop(name, None) is not None
        return queued or taken

    def set_rate(self, rate: float, now: float) -> None:
        """Change the rate. A bucket that starts anew is full, one that stops is empty."""
        if rate == self.rate:
            return
        self._refill(now)
        if self.rate == 0:
            self.tokens = BURST
        elif rate == 0:
            self.tokens = 0.0
        self.rate = rate

    def due(self, now: float) -> list[str]:
        """Take the names whose turn it is at `now`."""
        self._refill(now)
        passed: list[str] = []
        while self.queue and self.tokens >= 1:
            name = next(iter(self.queue))
            self.taken[name] = self.queue.pop(name)
            self.tokens -= 1
            passed.append(name)
        return passed

    def retry(self, name: str) -> None:
        """It was taken and could not be tainted: queue it again."""
        uid = self.taken.pop(name, None)
        if uid is not None:
            self.queue[name] = uid

    def next_in(self, now: float) -> float | None:
        """Seconds until `due` may give something, None while nothing waits or the rate is 0."""
        if not self.queue:
            return None
        self._refill(now)
        if self.tokens >= 1:
            return 0.0
        return (1 - self.tokens) / self.rate if self.rate > 0 else None

    def _refill(self, now: float) -> None:
        # A hair more, so that rounding never leaves a bucket a hair short of a token for ever.
        grown = self.tokens + max(0.0, now - self.updated) * self.rate + 1e-9
        self.tokens = min(float(BURST), grown)
        self.updated = now
