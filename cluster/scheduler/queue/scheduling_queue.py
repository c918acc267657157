"""The scheduling queue: pure; time comes in, pods come out.

A pod that is turned down waits in `unschedulable` until an event comes that one of the plugins
which turned it down cares for, or for five minutes; then it goes on at once, or after its backoff,
which doubles from one second to ten with each attempt. Pods that PreEnqueue keeps out are `gated`.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cluster.api import objects
from cluster.scheduler.framework.events import Alike, Event, Hint, Occurrence
from cluster.scheduler.framework.status import Status
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.queue.heap import Heap
from cluster.scheduler.queue.inflight import InFlight
from cluster.scheduler.queue.turneddown import TurnedDown


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. Names of kube-scheduler's configuration are in brackets."""

    initial_backoff: float = 1.0
    """First wait after a failed attempt (podInitialBackoffSeconds)."""
    maximum_backoff: float = 10.0
    """Longest wait after a failed attempt (podMaxBackoffSeconds)."""
    longest_unschedulable: float = 300.0
    """After this time a pod is tried again without an event (podMaxInUnschedulablePodsDuration)."""

    pop_from_backoff: bool = True
    """Whether pods that back off are tried early while no other is active, unless a fault was the
    reason (feature gate SchedulerPopFromBackoffQ, on since Kubernetes 1.33)."""

    def __post_init__(self) -> None:
        if not 0 < self.initial_backoff <= self.maximum_backoff:
            raise ValueError("the scheduler's backoff needs 0 < initial <= maximum seconds")
        if self.longest_unschedulable <= 0:
            raise ValueError("the longest time as unschedulable must be above 0 seconds")


class Rules(Protocol):
    """Who may enter the queue, in which order pods leave it, and what may help those in it."""

    def admit(self, pod: PodInfo) -> Status:
        """Whether the pod may enter the queue (PreEnqueue)."""
        ...

    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        """The pod's place in the active queue: the smallest goes first."""
        ...

    def hints_of(self, pod: PodInfo) -> Mapping[str, Mapping[Event, Hint]]:
        """The hints of the plugins that judge this pod, by plugin."""
        ...


@dataclass(slots=True)
class QueuedPod:
    """A pod in the queue. Times are wall seconds."""

    pod: PodInfo
    added: float
    """When it was first queued: what orders pods of equal priority."""
    attempts: int = 0
    last_attempt: float = 0.0
    """When the last attempt ended: its backoff starts then."""
    rejected_by: tuple[str, ...] = ()
    faulty: bool = False
    """Whether the last attempt ended by a fault: its backoff is not cut short."""
    update: Occurrence | None = None
    """How the pod itself changed during its attempt."""


class SchedulingQueue:
    """Every pod is in one of: active, backoff, unschedulable, gated, in flight."""

    def __init__(self, profile: Rules, timing: Timing) -> None:
        self._profile = profile
        self._timing = timing
        self._active: Heap[QueuedPod] = Heap()
        self._backoff: Heap[QueuedPod] = Heap()
        self._faulty: Heap[QueuedPod] = Heap()
        """Those that back off after a fault."""
        self._unschedulable: TurnedDown[QueuedPod] = TurnedDown()
        """In the order of their last attempts."""
        self._gated: dict[str, QueuedPod] = {}
        self._in_flight = InFlight()
        self._flying: dict[str, QueuedPod] = {}

    def __len__(self) -> int:
        return sum(self.counts().values()) + len(self._flying)

    def __contains__(self, key: str) -> bool:
        return key in self._flying or self._waiting(key) is not None

    def where(self, key: str) -> str:
        """Where a pod is: one of the keys of `counts`, `in flight`, or "" for nowhere."""
        if key in self._flying:
            return "in flight"
        if key in self._active:
            return "active"
        if key in self._backoff or key in self._faulty:
            return "backoff"
        if key in self._unschedulable:
            return "unschedulable"
        return "gated" if key in self._gated else ""

    def pod(self, key: str) -> PodInfo | None:
        """A pod that is in the queue."""
        found = self._flying.get(key) or self._waiting(key)
        return found.pod if found is not None else None

    def counts(self) -> dict[str, int]:
        """How many pods are where (kube-scheduler: scheduler_pending_pods)."""
        return {
            "active": len(self._active),
            "backoff": len(self._backoff) + len(self._faulty),
            "unschedulable": len(self._unschedulable),
            "gated": len(self._gated),
        }

    def set(self, pod: PodInfo, now: float) -> None:
        """A pod that waits for a node appeared or changed."""
        waiting = self._flying.get(pod.key) or self._waiting(pod.key)
        if waiting is not None and waiting.pod.uid != pod.uid:
            self.remove(pod.key)
            waiting = None
        if waiting is None:
            self._enter(QueuedPod(pod, added=now), now)
            return
        old, waiting.pod = waiting.pod, pod
        if not _changed(old, pod):
            return
        occurrence = Occurrence(Event.POD_UPDATE, old.object, pod.object)
        if pod.key in self._flying:
            waiting.update = occurrence
        elif self._gated.pop(pod.key, None) is not None:
            self._enter(waiting, now)
        elif pod.key in self._unschedulable:
            if self._helps(waiting, occurrence):
                self._unschedulable.pop(pod.key)
                self._enter(waiting, now)
            else:
                self._unschedulable.put(pod.key, waiting, self._asked_for(waiting))

    def remove(self, key: str) -> None:
        """A pod waits no longer: it is gone, or has a node."""
        self._active.remove(key)
        self._backoff.remove(key)
        self._faulty.remove(key)
        self._unschedulable.pop(key)
        self._gated.pop(key, None)
        self._flying.pop(key, None)
        self._in_flight.end(key)

    def pop(self, now: float) -> QueuedPod | None:
        """The next pod to schedule, in flight from now on until `done` or `failed`."""
        self.flush(now)
        first = self._active.pop()
        if first is None and self._timing.pop_from_backoff:
            first = self._backoff.pop()
        if first is None:
            return None
        first.attempts += 1
        self._flying[first.pod.key] = first
        self._in_flight.start(first.pod.key)
        return first

    def done(self, queued: QueuedPod) -> None:
        """The pod is bound."""
        if self._flying.get(queued.pod.key) is queued:
            self.remove(queued.pod.key)

    def failed(self, queued: QueuedPod, rejected_by: Iterable[str], now: float) -> bool:
        """The attempt ended without a node. Whether the pod still wants one.

        `rejected_by` names the plugins whose events may help; none after a fault, which is tried
        again after the backoff. What happened during the attempt counts as if it came now.
        """
        key = queued.pod.key
        if self._flying.get(key) is not queued:
            return False
        missed = self._in_flight.missed(key)
        if queued.update is not None:
            missed.append(queued.update)
            queued.update = None
        self.remove(key)
        queued.rejected_by = tuple(rejected_by)
        queued.faulty = not queued.rejected_by
        queued.last_attempt = now
        if not queued.rejected_by or any(self._helps(queued, one) for one in missed):
            self._enter(queued, now)
        else:
            self._unschedulable.put(key, queued, self._asked_for(queued))
        return True

    def saw(self, occurrence: Occurrence, now: float, *, highest: int | None = None) -> None:
        """Something happened in the cluster: pods that it may help are tried again.

        `highest`: it helps only pods of this priority or a lower one.
        """
        self._in_flight.saw(occurrence)
        helped: list[QueuedPod] = []
        for alike in self._unschedulable.heard(occurrence.event):
            if self._helps(next(iter(alike)), occurrence):
                helped += alike
        for one in helped:
            if highest is not None and one.pod.priority > highest:
                continue
            self._unschedulable.pop(one.pod.key)
            self._enter(one, now)

    def prepared(self, key: str, now: float, *, failed: bool) -> None:
        """Room is being made for a pod: it is not kept out for that reason any more.

        `failed`: it was not made, so there will be no event to wait for; the pod is tried again
        after its backoff (kube-scheduler: at once, and so without end while the API refuses).
        """
        gated = self._gated.pop(key, None)
        if gated is not None:
            self._enter(gated, now)
        elif failed and (queued := self._unschedulable.pop(key)) is not None:
            queued.faulty = True
            self._enter(queued, now)

    def flush(self, now: float) -> None:
        """Move on the pods whose time has come."""
        for heap in (self._backoff, self._faulty):
            while (first := heap.peek()) is not None and first[0] <= now:
                heap.pop()
                self._activate(first[1])
        while (oldest := self._unschedulable.first()) is not None and self._overdue(oldest) <= now:
            self._unschedulable.pop(oldest.pod.key)
            self._enter(oldest, now)

    def next_time(self) -> float | None:
        """When `flush` will have something to do, in wall seconds."""
        firsts = [self._backoff.peek(), self._faulty.peek()]
        times = [float(first[0]) for first in firsts if first is not None]
        oldest = self._unschedulable.first()
        if oldest is not None:
            times.append(self._overdue(oldest))
        return min(times, default=None)

    def _overdue(self, queued: QueuedPod) -> float:
        return queued.last_attempt + self._timing.longest_unschedulable

    def _waiting(self, key: str) -> QueuedPod | None:
        return (
            self._active.get(key)
            or self._backoff.get(key)
            or self._faulty.get(key)
            or self._unschedulable.get(key)
            or self._gated.get(key)
        )

    def _enter(self, queued: QueuedPod, now: float) -> None:
        """Put a pod where it belongs: gated, backing off or active."""
        if not self._profile.admit(queued.pod).ok:
            self._gated[queued.pod.key] = queued
            return
        ready = queued.last_attempt + self._wait(queued.attempts)
        if queued.attempts and ready > now:
            heap = self._faulty if queued.faulty else self._backoff
            heap.push(queued.pod.key, ready, queued)
        else:
            self._activate(queued)

    def _activate(self, queued: QueuedPod) -> None:
        rank = self._profile.sort_key(queued.pod, queued.added)
        self._active.push(queued.pod.key, rank, queued)

    def _wait(self, attempts: int) -> float:
        """The backoff after so many attempts: 1, 2, 4, 8, 10, 10… seconds."""
        timing = self._timing
        doublings = min(attempts - 1, 32)
        return min(timing.initial_backoff * 2.0**doublings, timing.maximum_backoff)

    def _asked_for(self, queued: QueuedPod) -> dict[Event, Hashable]:
        """The events of which `_helps` may say that they help, each with what it looks at then."""
        known, key = self._profile.hints_of(queued.pod), queued.pod.key
        asked = [known.get(name) for name in queued.rejected_by]
        if None in asked:
            return dict.fromkeys(Event, key)
        groups: dict[Event, Hashable] = {}
        for hints in asked:
            for event, hint in (hints or {}).items():
                facts = hint.facts(queued.pod) if isinstance(hint, Alike) else key
                groups[event] = (groups.get(event), facts, id(hint))
        return groups

    def _helps(self, queued: QueuedPod, occurrence: Occurrence) -> bool:
        if occurrence.event is Event.ANY:
            return True
        known = self._profile.hints_of(queued.pod)
        for name in queued.rejected_by:
            hints = known.get(name)
            if hints is None:
                return True
            hint = hints.get(occurrence.event)
            if hint is not None and hint(queued.pod, occurrence):
                return True
        return False


def _changed(old: PodInfo, new: PodInfo) -> bool:
    """Whether more than the status changed."""
    if old.spec != new.spec:
        return True
    return objects.labels(old.object) != objects.labels(new.object)
