"""What a kubelet knows of its node's health, as the conditions of the Node. Pure."""

from dataclasses import dataclass
from typing import Final

from cluster.api import objects, timestamps

READY: Final = "Ready"
OWN: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", READY)

_PRESSURES: Final = (
    (
        "MemoryPressure",
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    (
        "DiskPressure",
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    (
        "PIDPressure",
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
)
"""Type of each condition, and its reason and message where all is well and where it is not."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler of the runtime, "" the default one, and what it can do."""

    name: str
    recursive_read_only_mounts: bool = False
    user_namespaces: bool = False


_UNCHECKED: Final = "container runtime status check may not have completed yet"


@dataclass(frozen=True, slots=True)
class Health:
    """Why the node cannot run pods; both "" where it can. `pressures` are the conditions of what
    it is short of.
    """

    runtime_error: str = _UNCHECKED
    network_error: str = ""
    pressures: tuple[str, ...] = ()

    handlers: tuple[Handler, ...] = ()
    """What the runtime offers to RuntimeClasses, as far as it has said."""

    runtime: str = ""
    """The runtime's name and version, `containerd://1.7.24`; "" where it has not told."""

    @property
    def ready(self) -> bool:
        """Whether the node takes pods."""
        return not self.runtime_error and not self.network_error

    @property
    def checked(self) -> bool:
        """Whether the runtime has been asked, or was not reached for so long that it counts."""
        return self.runtime_error != _UNCHECKED

    @property
    def message(self) -> str:
        """What the Ready condition says, in the kubelet's words."""
        if self.ready:
            return "kubelet is posting ready status"
        errors = [error for error in (self.runtime_error, self.network_error) if error]
        return errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"


def conditions(health: Health, before: list[objects.Object], now: float) -> list[objects.Object]:
    """All conditions: those of others as they are, then the kubelet's, with a fresh heartbeat.

    As long as the runtime was not asked a node that is known stays what it was: a kubelet that is
    started again knows nothing that would make it NotReady for a moment.
    """
    known = {one["type"]: one for one in before}
    made = [one for one in before if one["type"] not in OWN]
    ready = "KubeletReady" if health.ready else "KubeletNotReady"
    verdicts = [
        (kind, kind in health.pressures, *(bad if kind in health.pressures else good))
        for kind, good, bad in _PRESSURES
    ]
    verdicts.append((READY, health.ready, ready, health.message))
    own = [_condition(verdict, known.get(verdict[0]), now) for verdict in verdicts]
    if not health.checked and READY in known:
        own[-1] = known[READY] | {"lastHeartbeatTime": timestamps.encode(now)}
    return made + own


def told(node: objects.Object, health: Health) -> bool:
    """Whether the Node's conditions, and its runtime's name, are what the kubelet would say."""
    info = objects.status(node).get("nodeInfo") or {}
    if health.runtime and info.get("containerRuntimeVersion") != health.runtime:
        return False
    there = objects.status(node).get("conditions") or []
    shown = {one["type"]: one for one in there}
    return all(
        one["type"] in shown
        and shown[one["type"]].get("status") == one.get("status")
        and shown[one["type"]].get("reason") == one.get("reason")
        for one in conditions(health, there, 0.0)
    )


def _condition(
    verdict: tuple[str, bool, str, str], before: objects.Object | None, now: float
) -> objects.Object:
    kind, status, reason, message = verdict
    text = "True" if status else "False"
    stamp = timestamps.encode(now)
    same = before is not None and before.get("status") == text
    return {
        "type": kind,
        "status": text,
        "lastHeartbeatTime": stamp,
        "lastTransitionTime": (before or {}).get("lastTransitionTime") if same else stamp,
        "reason": reason,
        "message": message,
    }
