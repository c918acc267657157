"""The conditions of a pod that its kubelet writes. Follows pkg/kubelet/status/generate.go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cluster.api import objects, timestamps
from cluster.kubelet.lifecycle import podspec, resizing, restartall
from cluster.kubelet.version import Version

SANDBOX_READY: Final = "PodReadyToStartContainers"
DISRUPTION: Final = "DisruptionTarget"
OWN: Final = (
    SANDBOX_READY, "Initialized", "Ready", "ContainersReady", "PodScheduled", resizing.PENDING,
    resizing.IN_PROGRESS, restartall.CONDITION,
)  # fmt: skip

Verdict = tuple[str, str, str]
"""Status, reason, message."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What the conditions are made of: the pod, its former status, what it shows now."""

    pod: objects.Object
    old: objects.Object
    inits: Sequence[objects.Object]
    apps: Sequence[objects.Object]
    phase: str
    network_ready: bool
    resizes: Sequence[Verdict] = ()
    """Type, reason and message of conditions of a resize."""
    disruption: Verdict | None = None
    """The condition DisruptionTarget of a pod that the node ended."""
    restarting: bool | None = None
    """Whether all its containers are about to start anew; None where no rule can demand it."""


def generate(picture: Picture, version: Version, now: float) -> list[objects.Object]:
    """All conditions: those of others first, as they are in the pod, then the kubelet's."""
    containers = _containers_ready(picture)
    verdicts: dict[str, Verdict] = {}
    if picture.disruption is not None:
        # Where another kubelet, which knows of no disruption, would leave it.
        verdicts[DISRUPTION] = picture.disruption
    if version.shows_sandbox_condition:
        verdicts[SANDBOX_READY] = ("True" if picture.network_ready else "False", "", "")
    verdicts["Initialized"] = _initialized(picture)
    verdicts["Ready"] = _ready(picture.pod, containers)
    verdicts["ContainersReady"] = containers
    verdicts["PodScheduled"] = ("True", "", "")
    if picture.restarting is not None:
        verdicts[restartall.CONDITION] = _restarting(picture)
    for kind, reason, message in picture.resizes:
        verdicts[kind] = ("True", reason, message)
    before = {one["type"]: one for one in picture.old.get("conditions") or ()}
    stamp = timestamps.encode(now)
    generation = objects.meta(picture.pod).get("generation") if version.tracks_generation else None
    made = [
        _condition(kind, verdict, before.get(kind), stamp, generation)
        for kind, verdict in verdicts.items()
    ]
    others = foreign(objects.status(picture.pod))
    if picture.disruption is not None:
        others = [one for one in others if one["type"] != DISRUPTION]
    return others + made


def foreign(status: objects.Object) -> list[objects.Object]:
    """The conditions that are not the kubelet's: readiness gates, DisruptionTarget."""
    return [one for one in status.get("conditions") or () if one.get("type") not in OWN]


def _condition(
    type: str,
    verdict: Verdict,
    before: objects.Object | None,
    stamp: str,
    generation: int | None,
) -> objects.Object:
    status, reason, message = verdict
    made: objects.Object = {"type": type, "status": status}
    same = before is not None and before.get("status") == status
    made["lastTransitionTime"] = (before or {}).get("lastTransitionTime") if same else stamp
    if generation is not None:
        made["observedGeneration"] = generation
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    return made


def _containers_ready(picture: Picture) -> Verdict:
    phase = picture.phase
    if phase == "Succeeded":
        return "False", "PodCompleted", ""
    if phase == "Failed":
        return "False", "PodFailed", ""
    unready = [
        status["name"]
        for spec, status in _inits(picture)
        if podspec.sidecar(spec) and not status["ready"]
    ]
    unready += [status["name"] for status in picture.apps if not status["ready"]]
    if unready:
        return "False", "ContainersNotReady", _named("unready", unready)
    return "True", "", ""


def _ready(pod: objects.Object, containers: Verdict) -> Verdict:
    if containers[0] != "True":
        return containers
    gates = objects.spec(pod).get("readinessGates") or ()
    if not gates:
        return containers
    known = {one["type"]: one for one in objects.status(pod).get("conditions") or ()}
    missing: list[str] = []
    for gate in gates:
        kind = gate["conditionType"]
        if kind not in known:
            missing.append(
                f'corresponding condition of pod readiness gate "{kind}" does not exist.'
            )
        elif known[kind].get("status") != "True":
            status = known[kind].get("status")
            missing.append(f'the status of pod readiness gate "{kind}" is not "True", but {status}')
    if missing:
        return "False", "ReadinessGatesNotReady", ", ".join(missing)
    return containers


def _initialized(picture: Picture) -> Verdict:
    if picture.phase == "Succeeded":
        return "True", "PodCompleted", ""
    if any("running" in one["state"] or "terminated" in one["state"] for one in picture.apps):
        return "True", "", ""
    incomplete = [
        status["name"]
        for spec, status in _inits(picture)
        if not status["started" if podspec.sidecar(spec) else "ready"]
    ]
    if incomplete:
        return "False", "ContainersNotInitialized", _named("incomplete", incomplete)
    return "True", "", ""


def _restarting(picture: Picture) -> Verdict:
    if picture.phase in ("Succeeded", "Failed"):
        return "False", "PodCompleted" if picture.phase == "Succeeded" else "PodFailed", ""
    if picture.restarting:
        text = "container exited with restart policy rule"
        return "True", "RestartAllContainersStarted", text
    return "False", "", ""


def _inits(picture: Picture) -> list[tuple[objects.Object, objects.Object]]:
    return list(zip(podspec.init_containers(picture.pod), picture.inits, strict=True))


def _named(what: str, names: Sequence[str]) -> str:
    return f"containers with {what} status: [{' '.join(names)}]"
