"""Decides what eviction does now, from what was observed. Pure: the time comes as an argument.

Source: synchronize of pkg/kubelet/eviction/eviction_manager.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.kubelet.eviction import limits, messages, signals, thresholds
from cluster.kubelet.eviction.picture import Candidate, critical
from cluster.kubelet.eviction.ranking import ranked
from cluster.kubelet.eviction.signals import Observations
from cluster.kubelet.eviction.thresholds import Threshold

IMMEDIATE: int = 1
"""immediateEvictionGracePeriodSeconds: what a hard threshold leaves a pod."""
_ORDER = (signals.MEMORY_PRESSURE, signals.DISK_PRESSURE, signals.PID_PRESSURE)


@dataclass(frozen=True, slots=True)
class Settings:
    """Thresholds, and the kubelet's settings of eviction. Seconds."""

    thresholds: tuple[Threshold, ...]
    transition: float = 300.0
    max_grace: int = 0
    old_messages: bool = False


@dataclass(frozen=True, slots=True)
class Eviction:
    """A pod that goes: why, by which signal, and with how many seconds of grace."""

    uid: str
    signal: str
    message: str
    grace: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a look: the node's pressures; `reclaim` is the threshold to do something about;
    `busy` says that a grace period or a pressure is running, so that it has to be looked again.
    """

    conditions: tuple[str, ...]
    evictions: tuple[Eviction, ...] = ()
    reclaim: Threshold | None = None
    busy: bool = False


@dataclass(slots=True)
class Manager:
    """Remembers since when thresholds are met and when pressures were last seen."""

    settings: Settings
    conditions: tuple[str, ...] = ()
    _since: dict[Threshold, float] = field(default_factory=dict)
    _seen_at: dict[str, float] = field(default_factory=dict)
    _met: list[Threshold] = field(default_factory=list)

    def observe(self, seen: Observations, candidates: Sequence[Candidate], now: float) -> Outcome:
        """Take an observation in. Limits of local storage come before pressures of the node."""
        met = thresholds.met(self.settings.thresholds, seen)
        unresolved = thresholds.met(self._met, seen, reclaiming=True)
        met += [one for one in unresolved if one not in met]
        self._since = {one: self._since.get(one, now) for one in met}
        for one in met:
            self._seen_at[signals.CONDITIONS[one.signal]] = now
        self._seen_at = {
            kind: at
            for kind, at in self._seen_at.items()
            if at == now or now - at < self.settings.transition
        }
        self.conditions = tuple(kind for kind in _ORDER if kind in self._seen_at)
        self._met = [one for one, since in self._since.items() if now - since >= (one.grace or 0.0)]
        busy = bool(self._since or self._seen_at)
        local = _local(candidates)
        if local:
            return Outcome(self.conditions, local, busy=True)
        worst = min(self._met, key=_urgency, default=None)
        return Outcome(self.conditions, reclaim=worst, busy=busy)

    def resolved(self, seen: Observations) -> bool:
        """Whether, after something was reclaimed, no threshold is met any more."""
        return not thresholds.met(self.settings.thresholds, seen)

    def victim(
        self, threshold: Threshold, seen: Observations, candidates: Sequence[Candidate]
    ) -> Eviction | None:
        """The pod that goes for a threshold; None where none may."""
        resource = signals.RESOURCES[threshold.signal]
        for one in ranked(candidates, resource):
            if critical(one.pod, static=one.static):
                continue
            text = messages.of_pressure(
                one, threshold, seen[threshold.signal], old=self.settings.old_messages
            )
            grace = IMMEDIATE if threshold.hard else self.settings.max_grace
            return Eviction(one.uid, threshold.signal, text, grace)
        return None


def _local(candidates: Sequence[Candidate]) -> tuple[Eviction, ...]:
    found = []
    for one in candidates:
        beyond = limits.exceeded(one)
        if beyond is not None and not critical(one.pod, static=one.static):
            found.append(Eviction(one.uid, beyond[0], beyond[1], IMMEDIATE))
    return tuple(found)


def _urgency(threshold: Threshold) -> tuple[bool, bool]:
    """Memory before all else, and what stands for something (byEvictionPriority)."""
    memory = (signals.MEMORY, signals.ALLOCATABLE_MEMORY)
    return threshold.signal not in memory, not threshold.hard
