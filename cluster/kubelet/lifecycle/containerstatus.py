"""The status of one container. Follows convertToAPIContainerStatuses of the kubelet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cluster.api import objects, timestamps
from cluster.kubelet.lifecycle import mountstatus, podspec, resizing, restarts
from cluster.kubelet.lifecycle.model import Container, Memory, Seen, State, Waiting
from cluster.kubelet.lifecycle.probes import Probing

SCHEME: Final = "kubemu://"
"""What ids of containers begin with: the runtime's name. This is kubemu's own."""
LOST: Final = "The container could not be located when the pod was terminated"
_KILLED: Final = 137


@dataclass(frozen=True, slots=True)
class Facts:
    """What the statuses of a pod's containers are made of.

    `ready_at` is when each running container is ready (seconds since the epoch).
    """

    seen: Seen
    waiting: Mapping[str, Waiting]
    ready_at: Mapping[str, float]
    now: float
    initializing: bool
    pod: objects.Object
    memory: Memory
    resizes: bool = False
    mounts: bool = False
    """Whether statuses tell of volumes."""
    users: bool = False
    """Whether statuses tell who a container's processes are."""
    scheme: str = SCHEME
    probing: Probing | None = None
    over: bool = False
    """Whether the pod's phase is for good: no container begins any more."""

    def started(self, container: Container) -> bool:
        """Whether a running container has started."""
        return self.probing is None or self.probing.started(container)

    def ready(self, container: Container) -> bool:
        """Whether a running container is ready."""
        return self.ready_at.get(container.name, 0.0) <= self.now and (
            self.probing is None or self.probing.ready(container)
        )


def of_all(
    specs: Sequence[objects.Object], old: objects.Object, facts: Facts, *, init: bool
) -> list[objects.Object]:
    """The statuses of containers, in the order of their specs; `old` is the pod's former status."""
    field = "initContainerStatuses" if init else "containerStatuses"
    before = {status["name"]: status for status in old.get(field) or ()}
    return [_of(spec, before.get(spec["name"]), facts, init=init) for spec in specs]


def of_ephemeral(
    specs: Sequence[objects.Object], old: objects.Object, facts: Facts
) -> list[objects.Object]:
    """The statuses of ephemeral containers: they are never ready, and never run again."""
    before = {status["name"]: status for status in old.get("ephemeralContainerStatuses") or ()}
    alone = replace(facts, initializing=False)
    found: list[objects.Object] = []
    for spec in specs:
        status = _of(
            {**spec, "restartPolicy": "Never"}, before.get(spec["name"]), alone, init=False
        )
        status["ready"] = False
        status.pop("started", None)
        found.append(status)
    return found


def _of(
    spec: objects.Object, old: objects.Object | None, facts: Facts, *, init: bool
) -> objects.Object:
    name = spec["name"]
    records = facts.seen.named(name)
    if records:
        return _of_records(spec, records, old, facts, init=init)
    if old and (old.get("containerID") or old.get("lastState")):
        return _of_lost(spec, old, facts)
    status = {
        "name": name,
        "state": {"waiting": _waiting(facts.waiting.get(name) or _default(facts))},
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": spec.get("image") or "",
        "imageID": "",
        "started": False,
    }
    _mounts(status, spec, facts)
    return status


def _of_records(
    spec: objects.Object,
    records: Sequence[Container],
    old: objects.Object | None,
    facts: Facts,
    *,
    init: bool,
) -> objects.Object:
    newest = records[0]
    name = newest.name
    last = _last(records, old, facts.scheme)
    why = facts.waiting.get(name)
    if newest.state is State.EXITED and not restarts.again(
        facts.pod, spec, newest, facts.memory, init=init
    ):
        why = None
    if newest.state is State.RUNNING:
        state: dict[str, Any] = {"running": {"startedAt": timestamps.encode(newest.started)}}
    elif newest.state is State.EXITED and why is None:
        state = {"terminated": _terminated(newest, facts.scheme)}
    else:
        state = {"waiting": _waiting(why or _default(facts))}
        if newest.state is State.EXITED:
            last = {"terminated": _terminated(newest, facts.scheme)}
    running = newest.state is State.RUNNING
    if init and not podspec.sidecar(spec):
        ready = newest.state is State.EXITED and newest.exit_code == 0
    else:
        ready = running and facts.ready(newest)
    status = {
        "name": name,
        "state": state,
        "lastState": last,
        "ready": ready,
        "restartCount": newest.attempt,
        "image": newest.image or spec.get("image") or "",
        "imageID": newest.image_ref,
        "containerID": facts.scheme + newest.id,
        "started": running and facts.started(newest),
    }
    signal = (spec.get("lifecycle") or {}).get("stopSignal")
    if signal:
        status["stopSignal"] = signal
    if facts.users and newest.user is not None:
        uid, gid, groups = newest.user
        linux: dict[str, Any] = {"uid": uid, "gid": gid}
        status["user"] = {"linux": linux | ({"supplementalGroups": [*groups]} if groups else {})}
    if facts.resizes:
        resizing.shown(status, spec, facts.memory.resizing)
    _mounts(status, spec, facts)
    return status


def _mounts(status: objects.Object, spec: objects.Object, facts: Facts) -> None:
    """Tell which volumes the container mounts, where its kubelet does (1.31)."""
    if facts.mounts and spec.get("volumeMounts"):
        status["volumeMounts"] = mountstatus.of(spec)


def _of_lost(spec: objects.Object, old: objects.Object, facts: Facts) -> objects.Object:
    """The runtime forgot a container that had been there: it was restarted, empty."""
    ended = _lost_state(old)
    name = spec["name"]
    status = dict(old)
    if "terminated" not in old["state"]:
        status.pop("containerID", None)  # of one that had ended all is known
    status |= {"ready": False, "started": False}
    never = restarts.policy(facts.pod, spec) == "Never" and name not in facts.memory.afresh
    if facts.over or never:
        status["state"] = {"terminated": ended}
    else:
        status["state"] = {"waiting": _waiting(facts.waiting.get(name) or _default(facts))}
        status["lastState"] = {"terminated": ended}
    return status


def _lost_state(old: objects.Object) -> objects.Object:
    terminated = old["state"].get("terminated") or (
        old["lastState"].get("terminated") if "running" not in old["state"] else None
    )
    if terminated:
        return dict(terminated)
    return {
        "exitCode": _KILLED,
        "reason": "ContainerStatusUnknown",
        "message": LOST,
    }


def _last(records: Sequence[Container], old: objects.Object | None, scheme: str) -> dict[str, Any]:
    """The end of the one before: the runtime's, or what the former status says of it."""
    for record in records[1:]:
        if record.state is State.EXITED:
            return {"terminated": _terminated(record, scheme)}
    if not old or not records[0].attempt:
        return {}
    if old.get("containerID") in (None, scheme + records[0].id):
        return dict(old["lastState"])
    return {"terminated": _lost_state(old)}


def _terminated(container: Container, scheme: str) -> objects.Object:
    found: objects.Object = {
        "exitCode": container.exit_code,
        "reason": container.reason or ("Completed" if container.exit_code == 0 else "Error"),
        "startedAt": timestamps.encode(container.started),
        "finishedAt": timestamps.encode(container.finished),
        "containerID": scheme + container.id,
    }
    if container.message:
        found["message"] = container.message
    return found


def _waiting(why: Waiting) -> objects.Object:
    return {"reason": why.reason, "message": why.message} if why.message else {"reason": why.reason}


def _default(facts: Facts) -> Waiting:
    return Waiting("PodInitializing" if facts.initializing else "ContainerCreating")
