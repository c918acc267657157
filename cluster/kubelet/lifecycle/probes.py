"""Startup, liveness and readiness probes of a pod, pure: what is due when, and what results mean.

The rules are those of the kubelet's prober (pkg/kubelet/prober): a result counts once it came
often enough in a row; until a container has started (its startup probe succeeded) nothing else is
asked; after a verdict that ends the container nothing is asked until there is another one. Time
counts from the start of the container, so that the first question comes after the initial delay.
Times are seconds since the epoch.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cluster.api import objects
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.lifecycle.model import Container, Seen, State


class Kind(StrEnum):
    """What a probe asks."""

    STARTUP = "startup"
    LIVENESS = "liveness"
    READINESS = "readiness"


class Verdict(StrEnum):
    """What is held of a container. UNKNOWN: its startup probe has not said anything yet."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


_INITIAL: Final = {
    Kind.STARTUP: Verdict.UNKNOWN,
    Kind.LIVENESS: Verdict.SUCCESS,
    Kind.READINESS: Verdict.FAILURE,
}
NEVER: Final = math.inf


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe of container `name`, with the API's defaults. `action` is the Probe itself."""

    kind: Kind
    name: str
    action: objects.Object
    init: bool = False
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    successes: int = 1
    failures: int = 3
    grace: int | None = None


@dataclass(slots=True, eq=False)
class Watch:
    """A probe, and what it has found of the container that it is about."""

    probe: Probe
    container: str = ""
    began: float = 0.0
    verdict: Verdict = Verdict.UNKNOWN
    last: bool | None = None
    count: int = 0
    """How often in a row the last result came."""
    asked: float = 0.0
    due: float = NEVER
    held: bool = False
    """Nothing more is asked about this container."""
    asking: bool = False

    def begin(self, container: Container) -> None:
        """Another container: all is open again."""
        self.container = container.id
        self.began = container.started
        self.verdict = _INITIAL[self.probe.kind]
        self.last, self.count = None, 0
        self.due, self.held, self.asking = NEVER, False, False

    def schedule(self, now: float) -> None:
        """Say when to ask first, unless that is said already."""
        if not self.held and not self.asking and self.due == NEVER:
            self.due = max(self.began + self.probe.initial_delay, now)


class Probing:
    """The probes of one pod. The shell asks what `take` gives, and tells `heard` the answers."""

    def __init__(self, probes: list[Probe]) -> None:
        self.watches: dict[str, dict[Kind, Watch]] = {}
        for probe in probes:
            self.watches.setdefault(probe.name, {})[probe.kind] = Watch(probe)

    def observe(self, seen: Seen, now: float, *, ending: bool = False) -> None:
        """Learn which containers run. Of a pod that is `ending` only readiness is asked."""
        for name, watches in self.watches.items():
            container = seen.newest(name)
            for watch in watches.values():
                self._observe(watch, container, now, ending=ending)

    def _observe(
        self, watch: Watch, container: Container | None, now: float, *, ending: bool
    ) -> None:
        if container is None or container.state is not State.RUNNING:
            watch.due = NEVER
            return
        if watch.container != container.id:
            watch.begin(container)
        if ending and watch.probe.kind is not Kind.READINESS:
            watch.due, watch.held = NEVER, True
        elif watch.probe.kind is Kind.STARTUP or self.started(container):
            watch.schedule(now)

    def recall(self, status: objects.Object, seen: Seen) -> None:
        """Take over what an earlier kubelet found: containers that were ready stay so until a
        probe says otherwise. `status` is the pod's.
        """
        for field in ("initContainerStatuses", "containerStatuses"):
            for one in status.get(field) or ():
                container = seen.newest(one["name"])
                watches = self.watches.get(one["name"])
                if watches is None or container is None or container.state is not State.RUNNING:
                    continue
                if str(one.get("containerID")).rpartition("://")[2] == container.id:
                    _recall(watches, container, one)

    def started(self, container: Container) -> bool:
        """Whether a running container has started, as its startup probe has it."""
        return self._verdict(container, Kind.STARTUP) is Verdict.SUCCESS

    def ready(self, container: Container) -> bool:
        """Whether a running container is ready, as its probes have it."""
        return (
            self.started(container) and self._verdict(container, Kind.READINESS) is Verdict.SUCCESS
        )

    def condemned(self, container: Container) -> Probe | None:
        """The probe whose failure demands the container's end, also after it."""
        for kind in (Kind.LIVENESS, Kind.STARTUP):
            watch = self.watches.get(container.name, {}).get(kind)
            if watch is None or watch.container != container.id:
                continue
            if watch.verdict is Verdict.FAILURE:
                return watch.probe
        return None

    def next_due(self) -> float:
        """When to ask next; NEVER where nothing is to be asked."""
        return min((watch.due for watch in self._all()), default=NEVER)

    def take(self, now: float) -> list[Watch]:
        """What is to be asked now; each is asked once until it is heard of."""
        due = [watch for watch in self._all() if watch.due <= now]
        for watch in due:
            watch.asked, watch.due, watch.asking = now, NEVER, True
        return due

    def heard(self, watch: Watch, container: str, now: float, *, good: bool | None) -> bool:
        """Count an answer about `container`; whether the verdict changed. None is no answer: the
        container could not be asked, which counts for nothing.
        """
        if watch.container != container:
            return False
        watch.asking = False
        if good is not None:
            watch.count = watch.count + 1 if watch.last is good else 1
            watch.last = good
        if watch.held:
            return False
        missed = max(now - watch.asked, 0.0) // watch.probe.period
        watch.due = watch.asked + (missed + 1) * watch.probe.period
        if good is None or watch.count < (watch.probe.successes if good else watch.probe.failures):
            return False
        before, watch.verdict = watch.verdict, Verdict.SUCCESS if good else Verdict.FAILURE
        self._settle(watch, now, good=good)
        return before is not watch.verdict

    def _settle(self, watch: Watch, now: float, *, good: bool) -> None:
        kind = watch.probe.kind
        if kind is Kind.STARTUP or (kind is Kind.LIVENESS and not good):
            watch.held, watch.due, watch.count = True, NEVER, 0
        if kind is Kind.STARTUP and good:
            for other in self.watches[watch.probe.name].values():
                if other.container == watch.container:
                    other.schedule(now)

    def _verdict(self, container: Container, kind: Kind) -> Verdict:
        watch = self.watches.get(container.name, {}).get(kind)
        if watch is None:
            return Verdict.SUCCESS
        return watch.verdict if watch.container == container.id else _INITIAL[kind]

    def _all(self) -> Iterator[Watch]:
        for watches in self.watches.values():
            yield from watches.values()


def of(pod: objects.Object) -> Probing | None:
    """The probes of a pod; None where it has none."""
    found: list[Probe] = []
    for spec in podspec.containers(pod):
        found += _of_container(spec, init=False)
    for spec in podspec.init_containers(pod):
        if podspec.sidecar(spec):
            found += _of_container(spec, init=True)
    return Probing(found) if found else None


def _of_container(spec: Mapping[str, objects.Object], *, init: bool) -> Iterator[Probe]:
    for kind in Kind:
        action = spec.get(f"{kind}Probe")
        if action:
            yield Probe(
                kind,
                str(spec["name"]),
                action,
                init,
                float(action.get("initialDelaySeconds") or 0),
                float(action.get("periodSeconds") or 10),
                float(action.get("timeoutSeconds") or 1),
                int(action.get("successThreshold") or 1),
                int(action.get("failureThreshold") or 3),
                action.get("terminationGracePeriodSeconds"),
            )


def _recall(watches: Mapping[Kind, Watch], container: Container, status: objects.Object) -> None:
    for kind, watch in watches.items():
        watch.begin(container)
        if kind is Kind.STARTUP and status.get("started"):
            watch.verdict, watch.held = Verdict.SUCCESS, True
        elif kind is Kind.READINESS and status.get("ready"):
            watch.verdict = Verdict.SUCCESS
