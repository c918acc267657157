"""The status of a pod, from what the runtime has of it: phase, conditions, container statuses.

The rules are those of generateAPIPodStatus and getPhase of the kubelet (pkg/kubelet).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.api import objects, qos, timestamps
from cluster.kubelet.lifecycle import (
    containerstatus,
    podconditions,
    podspec,
    readiness,
)
from cluster.kubelet.lifecycle.model import Memory, Seen, Waiting
from cluster.kubelet.version import Version

Statuses = Sequence[objects.Object]


@dataclass(frozen=True, slots=True)
class Host:
    """The node, as its pods' statuses speak of it."""

    addresses: tuple[str, ...]
    version: Version


@dataclass(frozen=True, slots=True)
class Report:
    """A status, and when it changes by itself (seconds since the epoch) because of readiness."""

    status: objects.Object
    wake_at: float | None = None


def generate(
    pod: objects.Object,
    seen: Seen,
    memory: Memory,
    host: Host,
    now: float,
    *,
    waiting: Mapping[str, Waiting] | None = None,
    old: objects.Object | None = None,
    stopped: bool = False,
) -> Report:
    """The status now. `old` is the one before it (the API's, unless given), `waiting` comes from
    the plan, `stopped` says that nothing of the pod will run any more.
    """
    old = objects.status(pod) if old is None else old
    if memory.rejection is not None:
        return Report(_rejected(pod, memory, old, host, now))
    ready_at = readiness.times(pod, seen)
    facts = containerstatus.Facts(
        seen=seen,
        waiting={**memory.failures, **(waiting or {})},
        ready_at=ready_at,
        now=now,
        initializing=bool(podspec.init_containers(pod)),
        policy=podspec.restart_policy(pod),
        probing=memory.probing,
    )
    inits = containerstatus.of_all(podspec.init_containers(pod), old, facts, init=True)
    apps = containerstatus.of_all(podspec.containers(pod), old, facts, init=False)
    phase = _sticky(old, phase_of(pod, inits, apps, stopped=stopped))
    status: objects.Object = {"phase": phase}
    if host.version.tracks_generation and "generation" in objects.meta(pod):
        status["observedGeneration"] = objects.meta(pod)["generation"]
    status["conditions"] = podconditions.generate(
        podconditions.Picture(pod, old, inits, apps, phase, seen.sandbox is not None),
        host.version,
        now,
    )
    status["startTime"] = old.get("startTime") or timestamps.encode(now)
    status.update(_addresses(pod, seen, old, host))
    if inits:
        status["initContainerStatuses"] = inits
    status["containerStatuses"] = sorted(apps, key=lambda one: str(one["name"]))
    status["qosClass"] = old.get("qosClass") or qos.of(objects.spec(pod))
    later = [at for at in ready_at.values() if at > now]
    return Report(status, min(later) if later else None)


def phase_of(pod: objects.Object, inits: Statuses, apps: Statuses, *, stopped: bool) -> str:
    """Pending, Running, Succeeded or Failed."""
    policy = podspec.restart_policy(pod)
    pending, failed = _initialization(pod, inits)
    if failed and policy == "Never":
        return "Failed"
    count = _count(apps)
    if stopped and not count.running and count.ended:
        clean = count.succeeded == count.ended and not count.waiting
        return "Succeeded" if clean else "Failed"
    if pending or count.waiting:
        return "Pending"
    if count.running:
        return "Running"
    if not count.ended:
        return "Pending"
    if policy == "Always":
        return "Running"
    if count.succeeded == count.ended:
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


@dataclass(slots=True)
class _Count:
    waiting: int = 0
    running: int = 0
    ended: int = 0
    succeeded: int = 0


def _count(apps: Statuses) -> _Count:
    count = _Count()
    for status in apps:
        state = status["state"]
        if "running" in state:
            count.running += 1
            continue
        terminated = state.get("terminated") or status["lastState"].get("terminated")
        if terminated is None:
            count.waiting += 1
        else:
            count.ended += 1
            # One that waits is to run again, however it ended.
            count.succeeded += "waiting" not in state and terminated["exitCode"] == 0
    return count


def _initialization(pod: objects.Object, inits: Statuses) -> tuple[int, int]:
    """How many init containers have not ended yet, and how many have failed."""
    pending = failed = 0
    for spec, status in zip(podspec.init_containers(pod), inits, strict=True):
        state = status["state"]
        if podspec.sidecar(spec):
            pending += "running" not in state and "terminated" not in status["lastState"]
            continue
        terminated = state.get("terminated") or (
            status["lastState"].get("terminated") if "waiting" in state else None
        )
        if terminated is None:
            pending += 1
        elif terminated["exitCode"] != 0:
            failed += 1
            pending += "waiting" in state or "terminated" in state
    return pending, failed


def _sticky(old: objects.Object, phase: str) -> str:
    """A pod that has finished never runs again."""
    known = str(old.get("phase") or "")
    return known if known in ("Succeeded", "Failed") else phase


def _addresses(pod: objects.Object, seen: Seen, old: objects.Object, host: Host) -> objects.Object:
    """HostIP and podIP, with their lists. Addresses that were had once stay shown."""
    found: objects.Object = {}
    if host.addresses:
        found["hostIP"] = host.addresses[0]
        found["hostIPs"] = [{"ip": address} for address in host.addresses]
    own: tuple[str, ...] = ()
    if seen.sandbox is not None:
        own = host.addresses if podspec.host_network(pod) else seen.sandbox.addresses
    if own:
        found["podIP"] = own[0]
        found["podIPs"] = [{"ip": address} for address in own]
    elif old.get("podIP"):
        found["podIP"] = old["podIP"]
        found["podIPs"] = old.get("podIPs") or [{"ip": old["podIP"]}]
    return found


def _rejected(
    pod: objects.Object, memory: Memory, old: objects.Object, host: Host, now: float
) -> objects.Object:
    """The status of a pod that the node would not take: nothing was ever made of it."""
    if memory.rejection is None:
        raise ValueError("the pod was not rejected")
    status: objects.Object = {
        "phase": "Failed",
        "reason": memory.rejection.reason,
        "message": memory.rejection.message,
        "conditions": podconditions.foreign(old),
        "startTime": old.get("startTime") or timestamps.encode(now),
        "qosClass": old.get("qosClass") or qos.of(objects.spec(pod)),
    }
    if host.version.tracks_generation and "generation" in objects.meta(pod):
        status["observedGeneration"] = objects.meta(pod)["generation"]
    return status
