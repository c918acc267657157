"""What is seen of a cluster while it is hurt: events with their times, and whether probes hold.

Pure: changes of objects and the time go in, events come out. Times are seconds since the faults
begin, negative before that.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cluster.api import conditions, objects, selectors
from cluster.chaos import experiment as ex
from cluster.client.informer import Change

BEGUN, UNDONE, FAILED = "begun", "undone", "failed"
NODE_LOST, NODE_READY = "nodeNotReady", "nodeReady"
POD_LOST, POD_READY, EVICTED, REPLACED = "podNotReady", "podReady", "evicted", "replaced"
SHORT, FULL, LEADER = "deploymentShort", "deploymentFull", "leader"
LOST, HELD = "lost", "held"
OF_PODS: Final = (POD_LOST, POD_READY, EVICTED, REPLACED)
"""There may be thousands of these."""
SIGNS: Final = (NODE_LOST, POD_LOST, EVICTED, SHORT, LEADER)
"""By these it can be told that the cluster itself has noticed something."""


class Event(NamedTuple):
    """Something that happened at a time to a subject (a node, a pod, a fault by its number)."""

    at: float
    kind: str
    subject: str
    text: str = ""


class _Pod(NamedTuple):
    namespace: str
    labels: Mapping[str, str]
    node: str
    owner: str
    ready: bool
    leaving: bool


class Observer:
    """Follows nodes, pods, Deployments, leases and Services; `events` grows, so does `ready_pods`.

    `mine` selects the namespaces whose pods are told of; without any, all are.
    """

    def __init__(self, mine: Sequence[str] = ()) -> None:
        self.events: list[Event] = []
        self.ready_pods: list[tuple[float, int]] = []
        """How many pods are Ready, whenever that changed."""
        self.nodes: dict[str, bool] = {}
        self.labels: dict[str, Mapping[str, str]] = {}
        self.addresses: dict[str, str] = {}
        """InternalIPs, the first of each, by node."""
        self.ports: dict[str, Sequence[Mapping[str, Any]]] = {}
        """Of Services, as their specs have them, by namespace/name."""
        self.holders: dict[str, str] = {}
        self._mine = tuple(mine)
        self._pods: dict[str, _Pod] = {}
        self._deployments: dict[str, tuple[int, int]] = {}
        self._evicted: dict[str, int] = {}
        self._count = 0

    # ---- changes -----------------------------------------------------------------------------

    def node(self, change: Change, now: float) -> None:
        """A node has changed."""
        name = objects.name(change.object)
        if change.new is None:
            for known in (self.nodes, self.labels, self.addresses):
                known.pop(name, None)
            return
        ready = conditions.is_true(change.new, "Ready")
        self.labels[name] = objects.labels(change.new)
        for address in reversed(objects.status(change.new).get("addresses") or ()):
            if address.get("type") == "InternalIP":
                self.addresses[name] = address["address"]
        before = self.nodes.get(name)
        self.nodes[name] = ready
        if before is not None and before != ready:
            why = conditions.find(change.new, "Ready") or {}
            self._tell(now, NODE_READY if ready else NODE_LOST, name, why.get("reason", ""))

    def pod(self, change: Change, now: float) -> None:
        """A pod has changed."""
        obj = change.object
        key, space = change.key, objects.namespace(obj)
        if self._mine and space not in self._mine:
            return
        before = self._pods.get(key)
        after = None if change.new is None else _pod(change.new)
        if after is not None:
            self._pods[key] = after
        else:
            self._pods.pop(key, None)
        was, is_ready = before is not None and before.ready, after is not None and after.ready
        leaving = after is None or after.leaving
        if before is not None and leaving and not before.leaving:
            self._left(key, before, now)
        if was and not is_ready and not leaving:
            self._tell(now, POD_LOST, key)
        if is_ready and not was:
            self._tell(now, POD_READY, key, after.node if after is not None else "")
            if after is not None and self._evicted.get(after.owner, 0) > 0:
                self._evicted[after.owner] -= 1
                self._tell(now, REPLACED, key, after.node)
        if was != is_ready:
            self._count += 1 if is_ready else -1
            self.ready_pods.append((now, self._count))

    def deployment(self, change: Change, now: float) -> None:
        """A Deployment has changed."""
        key, obj = change.key, change.new
        if obj is None:
            self._deployments.pop(key, None)
            return
        wanted = int(objects.spec(obj).get("replicas", 1))
        available = int(objects.status(obj).get("availableReplicas") or 0)
        before = self._deployments.get(key)
        self._deployments[key] = (wanted, available)
        if self._mine and objects.namespace(obj) not in self._mine:
            return
        if before is not None and (before[1] < before[0]) != (available < wanted):
            kind = SHORT if available < wanted else FULL
            self._tell(now, kind, key, f"{available} of {wanted} available")

    def service(self, change: Change, _now: float) -> None:
        """A Service has changed."""
        if change.new is None:
            self.ports.pop(change.key, None)
        else:
            self.ports[change.key] = objects.spec(change.new).get("ports") or ()

    def lease(self, change: Change, now: float) -> None:
        """A lease of kube-system has changed."""
        name = objects.name(change.object)
        spec = objects.spec(change.new) if change.new is not None else {}
        holder = str(spec.get("holderIdentity") or "")
        before = self.holders.get(name)
        self.holders[name] = holder
        if before and holder and holder != before:
            self._tell(now, LEADER, name, holder)

    def note(self, now: float, kind: str, subject: str, text: str = "") -> None:
        """Something that the experiment itself did or saw."""
        self._tell(now, kind, subject, text)

    # ---- looking -----------------------------------------------------------------------------

    def load(self) -> dict[str, int]:
        """How many pods each node runs, of those that are followed."""
        found: dict[str, int] = {}
        for pod in self._pods.values():
            if pod.node and not pod.leaving:
                found[pod.node] = found.get(pod.node, 0) + 1
        return found

    def different(self, label: str) -> int:
        """How many values a label has on nodes."""
        return len({one[label] for one in self.labels.values() if label in one})

    def holds(self, probe: ex.Probe) -> tuple[bool, str]:
        """Whether the state that a probe is about is as it should be, and how it is."""
        if probe.kind == ex.NODES_READY:
            ready = sum(self.nodes.values())
            return _enough(probe, ready, len(self.nodes)), f"{ready} of {len(self.nodes)} Ready"
        if probe.kind == ex.DEPLOYMENT:
            key = f"{probe.namespace}/{probe.subject}"
            if key not in self._deployments:
                return False, f"there is no Deployment {key}"
            wanted, available = self._deployments[key]
            return available >= wanted, f"{available} of {wanted} available"
        selector = selectors.parse_labels(probe.subject)
        found = [
            pod
            for pod in self._pods.values()
            if pod.namespace == probe.namespace and not pod.leaving and selector.matches(pod.labels)
        ]
        if not found:
            which = f" of {probe.subject}" if probe.subject else ""
            return _enough(probe, 0, 0), f"there is no pod{which} in namespace {probe.namespace}"
        ready = sum(pod.ready for pod in found)
        return _enough(probe, ready, len(found)), f"{ready} of {len(found)} Ready"

    def _left(self, key: str, pod: _Pod, now: float) -> None:
        """Somebody deletes a pod: where its node is lost, it is evicted."""
        if pod.node and not self.nodes.get(pod.node, True):
            self._tell(now, EVICTED, key, pod.node)
            if pod.owner:
                self._evicted[pod.owner] = self._evicted.get(pod.owner, 0) + 1

    def _tell(self, now: float, kind: str, subject: str, text: str = "") -> None:
        self.events.append(Event(now, kind, subject, text))


def _enough(probe: ex.Probe, count: int, total: int) -> bool:
    if probe.of_all:
        return total > 0 and count >= probe.at_least * total
    return count >= probe.at_least


def _pod(obj: objects.Object) -> _Pod:
    owner = objects.controller_of(obj) or {}
    lasting = owner.get("uid", "") if owner.get("kind") != "DaemonSet" else ""
    return _Pod(
        objects.namespace(obj),
        objects.labels(obj),
        objects.spec(obj).get("nodeName", ""),
        lasting,
        conditions.is_true(obj, "Ready"),
        objects.deleting(obj),
    )
