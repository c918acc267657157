"""Pods, as `kubectl get pods` shows them.

READY, STATUS and RESTARTS follow pkg/printers/internalversion of Kubernetes: STATUS is the reason
that tells most, not the phase.
"""

from typing import Any

from cluster.api import objects, timestamps
from cluster.api.printing import durations
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age, wide
from cluster.api.resources import Column

_TERMINAL = ("Succeeded", "Failed")
_NODE_LOST = "NodeLost"
_GATED = "SchedulingGated"


class _Summary:
    """READY, STATUS and RESTARTS while they are being worked out."""

    def __init__(self, pod: objects.Object) -> None:
        spec, status = objects.spec(pod), objects.status(pod)
        self.reason: str = status.get("reason") or status.get("phase") or ""
        self.restarts = 0
        self.last_restart = 0.0
        self.ready = 0
        self.sidecars = {
            container["name"]
            for container in spec.get("initContainers") or ()
            if container.get("restartPolicy") == "Always"
        }
        self.total = len(spec.get("containers") or ()) + len(self.sidecars)

    def count_restarts(self, status: objects.Object) -> None:
        self.restarts += status.get("restartCount") or 0
        ended = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        if ended:
            self.last_restart = max(self.last_restart, _moment(ended))


def _moment(text: str) -> float:
    try:
        return timestamps.decode(text)
    except ValueError:
        return 0.0


def _condition(pod: objects.Object, kind: str) -> objects.Object:
    for condition in objects.status(pod).get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return {}


def _is_true(pod: objects.Object, kind: str) -> bool:
    return _condition(pod, kind).get("status") == "True"


def _ended(terminated: objects.Object) -> str:
    """What a termination without a reason shows."""
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


def _init_reason(status: objects.Object, index: int, total: int) -> str:
    state = status.get("state") or {}
    terminated, waiting = state.get("terminated"), state.get("waiting") or {}
    if terminated is not None:
        return f"Init:{terminated.get('reason') or _ended(terminated)}"
    if waiting.get("reason") and waiting["reason"] != "PodInitializing":
        return f"Init:{waiting['reason']}"
    return f"Init:{index}/{total}"


def _initialize(pod: objects.Object, summary: _Summary) -> bool:
    """Account for init containers; True while one of them is still to finish."""
    statuses = objects.status(pod).get("initContainerStatuses") or ()
    total = len(objects.spec(pod).get("initContainers") or ())
    for index, status in enumerate(statuses):
        summary.count_restarts(status)
        terminated = (status.get("state") or {}).get("terminated")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if status.get("name") in summary.sidecars and status.get("started"):
            summary.ready += bool(status.get("ready"))
            continue
        summary.reason = _init_reason(status, index, total)
        return True
    return False


def _run(pod: objects.Object, summary: _Summary) -> None:
    """Account for the containers proper."""
    summary.restarts, summary.last_restart = 0, 0.0
    for status in objects.status(pod).get("initContainerStatuses") or ():
        if status.get("name") in summary.sidecars:
            summary.count_restarts(status)
    running = False
    for status in reversed(objects.status(pod).get("containerStatuses") or ()):
        summary.count_restarts(status)
        state = status.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if waiting.get("reason"):
            summary.reason = waiting["reason"]
        elif terminated is not None:
            summary.reason = terminated.get("reason") or _ended(terminated)
        elif status.get("ready") and state.get("running") is not None:
            running = True
            summary.ready += 1
    if summary.reason == "Completed" and running:
        summary.reason = "Running" if _is_true(pod, "Ready") else "NotReady"


def _summary(pod: objects.Object) -> _Summary:
    summary = _Summary(pod)
    if _condition(pod, "PodScheduled").get("reason") == _GATED:
        summary.reason = _GATED
    if not _initialize(pod, summary) or _is_true(pod, "Initialized"):
        _run(pod, summary)
    if objects.deleting(pod):
        status = objects.status(pod)
        if status.get("reason") == _NODE_LOST:
            summary.reason = "Unknown"
        elif status.get("phase") not in _TERMINAL:
            summary.reason = "Terminating"
    return summary


def _gates(pod: objects.Object) -> str:
    gates = objects.spec(pod).get("readinessGates") or ()
    if not gates:
        return NONE
    met = sum(_is_true(pod, gate.get("conditionType", "")) for gate in gates)
    return f"{met}/{len(gates)}"


def _cells(pod: objects.Object, now: float) -> list[Any]:
    summary, status = _summary(pod), objects.status(pod)
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts += f" ({durations.human(now - summary.last_restart)} ago)"
    return [
        objects.name(pod),
        f"{summary.ready}/{summary.total}",
        summary.reason,
        restarts,
        age(pod, now),
        status.get("podIP") or NONE,
        objects.spec(pod).get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(pod),
    ]


def _conditions(pod: objects.Object) -> list[objects.Object]:
    """A finished pod's row says so, which lets a printer grey it out or leave it away."""
    match objects.status(pod).get("phase"):
        case "Succeeded":
            return [_completed("Succeeded", "The pod has completed successfully.")]
        case "Failed":
            return [_completed("Failed", "The pod failed.")]
    return []


def _completed(reason: str, message: str) -> objects.Object:
    return {"type": "Completed", "status": "True", "reason": reason, "message": message}


PODS = Printer(
    (
        NAME,
        Column("Ready", description="Containers that are ready, of all."),
        Column("Status", description="The pod's state in one word."),
        Column("Restarts", description="How often its containers were restarted, and when last."),
        AGE,
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
        wide("Readiness Gates"),
    ),
    _cells,
    _conditions,
)

BY_RESOURCE = {
    "pods": PODS,
}
