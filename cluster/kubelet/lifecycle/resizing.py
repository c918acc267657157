"""In-place resize of a pod's containers (KEP-1287), pure: what was asked for, allotted and given.

A change of resources is *pending* until the node allots it: never where it is more than the node
has (Infeasible), later where others hold it now (Deferred). What is allotted is then given to each
running container, in place or by a restart, as the container's resizePolicy says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.api import objects
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.lifecycle.admission import Amounts

PENDING: Final = "PodResizePending"
IN_PROGRESS: Final = "PodResizeInProgress"
_KINDS: Final = ("cpu", "memory")
_PARTS: Final = ("limits", "requests", "claims")


@dataclass(frozen=True, slots=True)
class Change:
    """What a running container is to be given, and whether it has to be restarted for it."""

    resources: objects.Object
    restart: bool


@dataclass(slots=True)
class Resizing:
    """Resources by container: `allotment` is what the node has set aside, `given` (by id) what a
    running container has, `failed` (by id) what it could not be given, and why; `pending` why what
    is asked for is not allotted (reason, message).
    """

    allotment: dict[str, objects.Object]
    given: dict[str, objects.Object] = field(default_factory=dict)
    failed: dict[str, tuple[objects.Object, str]] = field(default_factory=dict)
    pending: tuple[str, str] | None = None
    untold: bool = False
    """It was begun, and that it is done has not been said."""

    def finished(self, running: Mapping[str, str]) -> bool:
        """Whether all running containers (names by id) have what they were allotted."""
        return all(
            self.given.get(one) == self.allotment[name]
            for one, name in running.items()
            if name in self.allotment
        )

    def allotted(self, spec: objects.Object) -> objects.Object:
        """The spec of a container with what it was allotted."""
        found = self.allotment.get(spec["name"])
        return spec if found is None else {**spec, "resources": found}

    def change(self, spec: objects.Object, container: str) -> Change | None:
        """What is to be done about a running container; None where it has what it should."""
        wanted, has = self.allotment.get(spec["name"]), self.given.get(container)
        if wanted is None or has is None or wanted == has:
            return None
        changed = [kind for kind in _KINDS if _of(wanted, kind) != _of(has, kind)]
        policies = {
            one.get("resourceName"): one.get("restartPolicy")
            for one in spec.get("resizePolicy") or ()
        }
        if self.failed.get(container, (None, ""))[0] == wanted:
            return None
        return Change(wanted, any(policies.get(kind) == "RestartContainer" for kind in changed))

    def ended(self, spec: objects.Object, container: str) -> bool:
        """Whether an ended container is to come back with other resources."""
        change = self.change(spec, container)
        return change is not None and change.restart


def begin(pod: objects.Object, running: Mapping[str, str]) -> Resizing:
    """Before the first change: `running` (names by id) have what the pod says."""
    allotment = resources(pod)
    given = {one: allotment[name] for one, name in running.items() if name in allotment}
    return Resizing(allotment, given)


def recall(pod: objects.Object) -> Resizing | None:
    """What an earlier kubelet had given, where that is not what the pod says now."""
    made = Resizing(resources(pod))
    differs = False
    for name in ("containerStatuses", "initContainerStatuses"):
        for one in objects.status(pod).get(name) or ():
            has, wanted = one.get("resources"), made.allotment.get(one["name"])
            if has is None or wanted is None:
                continue
            made.given[str(one.get("containerID") or "").partition("://")[2]] = has
            if has != {key: wanted[key] for key in ("limits", "requests") if key in wanted}:
                differs = True
                made.allotment[one["name"]] = has
    return made if differs else None


def resources(pod: objects.Object) -> dict[str, objects.Object]:
    """What the containers of a pod ask for, by name."""
    specs = (*podspec.containers(pod), *podspec.init_containers(pod))
    return {spec["name"]: spec.get("resources") or {} for spec in specs}


def judge(asked: Amounts, others: Amounts, capacity: Amounts) -> tuple[str, str] | None:
    """Why a node does not allot what a pod asks for beside what `others` hold; None: it does."""
    rows = (
        ("cpu", asked.cpu, others.cpu, capacity.cpu),
        ("memory", asked.memory, others.memory, capacity.memory),
    )
    for name, wanted, _, limit in rows:
        if wanted > limit:
            message = f"Node didn't have enough capacity: {name}, requested: {wanted}, "
            return "Infeasible", f"{message}capacity: {limit}"
    for name, wanted, taken, limit in rows:
        if wanted + taken > limit:
            message = f"Node didn't have enough resource: {name}, requested: {wanted}, "
            return "Deferred", f"{message}used: {taken}, capacity: {limit}"
    return None


def shown(status: objects.Object, spec: objects.Object, resizing: Resizing | None) -> None:
    """Put what a container was allotted and has into its status."""
    allotted = spec.get("resources") or {}
    has = allotted
    if resizing is not None:
        has = allotted = resizing.allotment.get(spec["name"], allotted)
        if "running" in status["state"]:
            id_ = str(status.get("containerID") or "").partition("://")[2]
            has = resizing.given.get(id_, allotted)
    if allotted.get("requests"):
        status["allocatedResources"] = allotted["requests"]
    status["resources"] = {key: has[key] for key in _PARTS if key in has}


def conditions(resizing: Resizing | None) -> Sequence[tuple[str, str, str]]:
    """Type, reason and message of what is shown of a change that is under way."""
    if resizing is None:
        return ()
    found = [(PENDING, *resizing.pending)] if resizing.pending is not None else []
    for _, why in resizing.failed.values():
        return (*found, (IN_PROGRESS, "Error", why))
    return found


def _of(found: objects.Object, kind: str) -> tuple[object, object]:
    return (found.get("requests") or {}).get(kind), (found.get("limits") or {}).get(kind)
