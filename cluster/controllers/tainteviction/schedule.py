"""When each pod is to be evicted: timers as data."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.api import objects
from cluster.controllers.tainteviction import toleration


@dataclass(frozen=True, slots=True)
class Planned:
    """An eviction: decided at `since`, due at `due` (loop seconds)."""

    since: float
    due: float


@dataclass(slots=True)
class Schedule:
    """Planned evictions by pod key. A pod that was evicted is kept until it is gone."""

    _planned: dict[str, Planned] = field(default_factory=dict)
    _evicted: dict[str, None] = field(default_factory=dict)

    def update(
        self,
        key: str,
        tolerations: Sequence[objects.Object],
        taints: Sequence[objects.Object],
        now: float,
    ) -> bool:
        """A pod, or its node's NoExecute taints, changed. True where an eviction was called off.

        A pod's time runs from when it was first threatened: another taint cannot prolong it.
        """
        if key in self._evicted:
            return False
        seconds = toleration.seconds_left(tolerations, taints) if taints else None
        if seconds is None:
            return self._planned.pop(key, None) is not None
        known = self._planned.get(key)
        since = known.since if known is not None and seconds > 0 else now
        self._planned[key] = Planned(since, since + seconds)
        return False

    def forget(self, key: str) -> bool:
        """The pod is gone. True where an eviction was still ahead of it."""
        self._evicted.pop(key, None)
        return self._planned.pop(key, None) is not None

    def take_due(self, now: float) -> list[str]:
        """Take the pods whose time has come, in the order of their times."""
        due = sorted(
            (planned.due, key) for key, planned in self._planned.items() if planned.due <= now
        )
        for _, key in due:
            del self._planned[key]
            self._evicted[key] = None
        return [key for _, key in due]

    def again(self, key: str, now: float, seconds: float) -> None:
        """An eviction failed: try it again in `seconds`."""
        self._evicted.pop(key, None)
        self._planned[key] = Planned(now, now + seconds)

    def next_due(self) -> float | None:
        """The earliest time at which a pod is due, None for none."""
        return min((planned.due for planned in self._planned.values()), default=None)
