"""What an autoscaler recommended and did lately, as long as that counts. Pure: time comes in.

It is held in memory alone, as in Kubernetes: a controller manager that starts anew knows no
earlier recommendation but the present size.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MOST = 1000
"""Entries kept: an hour of windows at a sync each 15 s is 240."""


@dataclass(slots=True)
class History:
    """Recommendations before stabilization, and changes of size upwards and downwards, each with
    its time in seconds since the epoch.
    """

    recommendations: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=MOST))
    ups: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=MOST))
    downs: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=MOST))

    def began(self, replicas: int, now: float) -> None:
        """Take the present size for the first recommendation."""
        if not self.recommendations:
            self.recommendations.append((now, replicas))

    def recommended(self, replicas: int, now: float, window: float) -> None:
        """Note a recommendation; what is older than `window` seconds counts for nobody."""
        while self.recommendations and self.recommendations[0][0] < now - window:
            self.recommendations.popleft()
        self.recommendations.append((now, replicas))

    def extreme(
        self, choose: Callable[[int, int], int], first: int, now: float, window: float
    ) -> int:
        """The least or most that was recommended in the last `window` seconds, `first` among it."""
        for at, replicas in self.recommendations:
            if at > now - window:
                first = choose(first, replicas)
        return first

    def scaled(self, before: int, after: int, now: float, period: float) -> None:
        """Note a change of size; those that happened `period` seconds ago count for nobody."""
        changes, size = (
            (self.ups, after - before) if after > before else (self.downs, before - after)
        )
        while changes and changes[0][0] < now - period:
            changes.popleft()
        changes.append((now, size))

    def change(self, now: float, period: float) -> int:
        """By how much the size has grown in the last `period` seconds; less than 0: shrunk."""
        added = sum(size for at, size in self.ups if at > now - period)
        return added - sum(size for at, size in self.downs if at > now - period)
