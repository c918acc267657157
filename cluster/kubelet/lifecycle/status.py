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
    resizing,
    restartall,
    restarts,
)
from cluster.kubelet.lifecycle.model import Memory, Seen, Waiting
from cluster.kubelet.version import Version

Statuses = Sequence[objects.Object]


@dataclass(frozen=True, slots=True)
class Host:
    """The node, as its pods' statuses speak of it."""

    addresses: tuple[str, ...]
    version: Version
    scheme: str = containerstatus.SCHEME
    """What ids of containers begin with."""


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
        pod=pod,
        memory=memory,
        resizes=host.version.resizes,
        mounts=host.version.shows_handlers,
        users=host.version.shows_users,
        scheme=host.scheme,
        probing=memory.probing,
        over=old.get("phase") in ("Succeeded", "Failed"),
    )
    inits = containerstatus.of_all(podspec.init_containers(pod), old, facts, init=True)
    apps = containerstatus.of_all(podspec.containers(pod), old, facts, init=False)
    found = phase_of(pod, inits, apps, stopped=stopped)
    anew = restartall.cause(pod, seen, memory) is not None and not stopped
    if anew and found in ("Succeeded", "Failed"):
        found = "Running"  # what has ended is about to start anew
    status: objects.Object = _phase(old, memory, found, stopped)
    phase = status["phase"]
    if host.version.tracks_generation and "generation" in objects.meta(pod):
        status["observedGeneration"] = objects.meta(pod)["generation"]
    status["conditions"] = podconditions.generate(
        podconditions.Picture(
            pod,
            old,
            inits,
            apps,
            phase,
            seen.sandbox is not None,
            resizing.conditions(memory.resizing),
            _disruption(memory, phase, host.version),
            anew if memory.restarts_all else None,
        ),
        host.version,
        now,
    )
    status["startTime"] = old.get("startTime") or timestamps.encode(now)
    status.update(_addresses(pod, seen, memory.addresses, old, host))
    if inits:
        status["initContainerStatuses"] = inits
    ephemeral = podspec.ephemeral_containers(pod)
    if ephemeral:
        status["ephemeralContainerStatuses"] = containerstatus.of_ephemeral(ephemeral, old, facts)
    status["containerStatuses"] = sorted(apps, key=lambda one: str(one["name"]))
    status["qosClass"] = old.get("qosClass") or qos.of(objects.spec(pod))
    later = [at for at in ready_at.values() if at > now]
    return Report(status, min(later) if later else None)


def phase_of(pod: objects.Object, inits: Statuses, apps: Statuses, *, stopped: bool) -> str:
    """Pending, Running, Succeeded or Failed."""
    pending, failed = _initialization(pod, inits)
    if failed:
        return "Failed"
    count = _count(pod, apps)
    if stopped and not count.running and count.ended:
        clean = count.succeeded == count.ended and not count.waiting
        return "Succeeded" if clean else "Failed"
    if pending or count.waiting:
        return "Pending"
    if count.running:
        return "Running"
    if not count.ended:
        return "Pending"
    if count.again:
        return "Running"
    return "Succeeded" if count.succeeded == count.ended else "Failed"


@dataclass(slots=True)
class _Count:
    waiting: int = 0
    running: int = 0
    ended: int = 0
    succeeded: int = 0
    again: int = 0


def _count(pod: objects.Object, apps: Statuses) -> _Count:
    count = _Count()
    for spec, status in zip(podspec.containers(pod), apps, strict=True):
        state = status["state"]
        if "running" in state:
            count.running += 1
            continue
        terminated = state.get("terminated") or status["lastState"].get("terminated")
        if terminated is None:
            count.waiting += 1
            continue
        count.ended += 1
        if "waiting" in state:
            count.again += 1
            continue
        count.again += restarts.wanted(pod, spec, terminated["exitCode"])
        count.succeeded += terminated["exitCode"] == 0
    return count


def _initialization(pod: objects.Object, inits: Statuses) -> tuple[int, int]:
    """How many init containers have not ended yet, and how many have failed for good."""
    pending = failed = 0
    for spec, status in zip(podspec.init_containers(pod), inits, strict=True):
        state = status["state"]
        if podspec.sidecar(spec):
            pending += "running" not in state and "terminated" not in status["lastState"]
            continue
        terminated = state.get("terminated") or (
            status["lastState"].get("terminated") if "waiting" in state else None
        )
        if terminated is None or "waiting" in state:
            pending += 1
        elif terminated["exitCode"] != 0:
            pending += 1
            failed += not restarts.wanted(pod, spec, terminated["exitCode"], init=True)
    return pending, failed


def _phase(old: objects.Object, memory: Memory, phase: str, stopped: bool) -> objects.Object:
    """The phase with its reason. A pod that has finished never runs again; one that the node
    ended fails, once all has stopped.
    """
    known = str(old.get("phase") or "")
    if known in ("Succeeded", "Failed"):
        kept = {key: old[key] for key in ("reason", "message") if old.get(key)}
        return {"phase": known, **kept}
    verdict = memory.verdict
    if verdict is not None:
        if stopped:
            return {"phase": "Failed", "reason": verdict.reason, "message": verdict.message}
        return {"phase": known or "Pending"}
    return {"phase": phase}


def _disruption(memory: Memory, phase: str, version: Version) -> podconditions.Verdict | None:
    """The condition of a pod that its node ended, once it has failed (1.26)."""
    verdict = memory.verdict
    if verdict is None or not verdict.disruption or phase != "Failed":
        return None
    if (version.major, version.minor) < (1, 26):
        return None
    return "True", verdict.disruption, verdict.message


def _addresses(
    pod: objects.Object,
    seen: Seen,
    given: tuple[str, ...],
    old: objects.Object,
    host: Host,
) -> objects.Object:
    """HostIP and podIP, with their lists. Addresses that were had once stay shown."""
    found: objects.Object = {}
    if host.addresses:
        found["hostIP"] = host.addresses[0]
        found["hostIPs"] = [{"ip": address} for address in host.addresses]
    own: tuple[str, ...] = ()
    if seen.sandbox is not None:
        own = host.addresses if podspec.host_network(pod) else seen.sandbox.addresses
    if not own and not old.get("podIP"):
        own = given  # it ended before anybody looked
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
