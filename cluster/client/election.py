"""The rules of leader election by a Lease, pure: what one candidate may write, and when.

After client-go's tools/leaderelection: a candidate trusts no clock but its own. It counts from
when it *saw* the record change, and takes over a lease that it has not seen change for the lease
duration.
"""

from dataclasses import dataclass
from typing import Any

from cluster.api import timestamps

JITTER_FACTOR = 1.2


@dataclass(frozen=True)
class Lease:
    """Which Lease an election is about, and its times in seconds: those of a Config."""

    name: str
    namespace: str = "kube-system"
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


@dataclass(frozen=True, slots=True)
class Config:
    """Leader election for one Lease; durations in seconds. ValueError where they do not fit.

    `lease_duration`: how long others wait before they take over; `renew_deadline`: how long the
    leader tries to renew before it gives up; `retry_period`: the time between tries.
    """

    name: str
    identity: str
    namespace: str = "kube-system"
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    release_on_cancel: bool = True
    """Whether a leader that is cancelled gives the lease up, which takes it a while."""

    def __post_init__(self) -> None:
        if not self.name or not self.identity or not self.namespace:
            raise ValueError("leader election needs a lease name, a namespace and an identity")
        if self.lease_duration <= self.renew_deadline:
            raise ValueError("the lease duration must be longer than the renew deadline")
        if self.retry_period <= 0 or self.renew_deadline <= JITTER_FACTOR * self.retry_period:
            raise ValueError(
                f"the renew deadline must be longer than {JITTER_FACTOR} times the retry period, "
                "which must be positive"
            )


class Candidate:
    """What one candidate knows of the Lease. `now` is its monotonic time, `wall` the clock's."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._seen: dict[str, Any] = {}
        self._seen_at = 0.0

    @property
    def holder(self) -> str:
        """Who holds the lease, as last seen; "" for nobody."""
        return self._seen.get("holderIdentity") or ""

    @property
    def term(self) -> int:
        """How often the lease had changed hands when it was last seen (leaseTransitions)."""
        return self._seen.get("leaseTransitions") or 0

    @property
    def leads(self) -> bool:
        """Whether the lease was last seen in this candidate's own hand."""
        return self.holder == self._config.identity

    def see(self, spec: dict[str, Any], now: float) -> None:
        """Take note of the Lease's spec."""
        if spec != self._seen:
            self._seen = spec
            self._seen_at = now

    def claim(self, now: float, wall: float) -> dict[str, Any] | None:
        """The spec to write to acquire or renew; None while another holds the lease."""
        if self.holder and not self.leads:
            duration = self._seen.get("leaseDurationSeconds") or self._config.lease_duration
            if now < self._seen_at + duration:
                return None
        transitions = self._seen.get("leaseTransitions") or 0
        acquired = self._seen.get("acquireTime")
        if not self.leads or not acquired:
            acquired = timestamps.encode_micro(wall)
            transitions += 1 if self._seen else 0
        return {
            "holderIdentity": self._config.identity,
            "leaseDurationSeconds": max(1, round(self._config.lease_duration)),
            "acquireTime": acquired,
            "renewTime": timestamps.encode_micro(wall),
            "leaseTransitions": transitions,
        }

    def release(self, wall: float) -> dict[str, Any]:
        """The spec that gives the lease up, so that the next candidate need not wait.

        No holder at all: the API allows no empty one.
        """
        return {
            "leaseDurationSeconds": 1,
            "acquireTime": timestamps.encode_micro(wall),
            "renewTime": timestamps.encode_micro(wall),
            "leaseTransitions": self._seen.get("leaseTransitions") or 0,
        }
