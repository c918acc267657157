"""What must hold in every cluster at every moment, and once it has come to rest.

The watching half sees each revision as it is written; the resting half looks at the end.
"""

from collections.abc import Iterator

from cluster.api import objects, podrequests, quantity
from cluster.lab import volumewatch
from cluster.lab.mirror import Change, Mirror

_Demand = tuple[int, int]
"""Thousandths of a core, and bytes."""
_FINISHED = ("Succeeded", "Failed")


class Broken(AssertionError):
    """An invariant did not hold. The message tells each case."""


class Watchdog:
    """Follows pods and nodes; `broken` collects what should never have been written."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._places: dict[str, str] = {}
        self._used: dict[str, dict[str, _Demand]] = {}
        self.broken: list[str] = []
        mirror.observe("pods", self._pod)
        self._volumes = volumewatch.VolumeWatch(mirror, self.broken)

    def _pod(self, change: Change) -> None:
        if change.new is None:
            if change.old is not None:
                self._forget(objects.uid(change.old))
            return
        pod, uid = change.new, objects.uid(change.new)
        node = objects.spec(pod).get("nodeName", "")
        before = self._places.get(uid, "")
        if before and node != before:
            self._say(change, f"was bound to {before} and then to {node or 'no node'}")
        if objects.status(pod).get("phase") in _FINISHED:
            self._used.get(before, {}).pop(uid, None)
        elif node and not before:
            self._bound(change, uid, node)
        if node:
            self._places[uid] = node

    def _bound(self, change: Change, uid: str, name: str) -> None:
        node = self._mirror.get("nodes", name)
        if node is None:
            self._say(change, f"was bound to node {name}, which does not exist")
            return
        used = self._used.setdefault(name, {})
        used[uid] = demand(change.new or {})
        has = objects.status(node).get("allocatable") or {}
        offer = _pair(podrequests.amounts(has))
        for at, resource in enumerate(("cpu", "memory")):
            total = sum(one[at] for one in used.values())
            if resource in has and total > offer[at]:
                self._say(
                    change,
                    f"was bound to node {name}, whose pods then ask for more {resource} than the "
                    f"{has[resource]} that it can give",
                )
        if "pods" in has and len(used) > quantity.value(has["pods"]):
            self._say(change, f"is pod {len(used)} on node {name}, which takes {has['pods']}")

    def _forget(self, uid: str) -> None:
        node = self._places.pop(uid, "")
        self._used.get(node, {}).pop(uid, None)

    def _say(self, change: Change, text: str) -> None:
        self.broken.append(f"revision {change.revision}: pod {change.key} {text}")


def demand(pod: objects.Object) -> _Demand:
    """What a pod asks for."""
    return _pair(podrequests.of(pod))


def _pair(amounts: podrequests.Amounts) -> _Demand:
    return amounts.get(podrequests.CPU, 0), amounts.get(podrequests.MEMORY, 0)


def at_rest(mirror: Mirror) -> list[str]:
    """What is wrong in a cluster whose controllers have had time to finish; [] where nothing is."""
    found = (_orphans, _homeless, _shared_addresses, _stray, _twins, volumewatch.at_rest)
    return [wrong for each in found for wrong in each(mirror)]


def _everything(mirror: Mirror) -> Iterator[tuple[str, objects.Object]]:
    for resource in mirror.resources:
        for obj in mirror.list(resource):
            yield resource, obj


def _orphans(mirror: Mirror) -> Iterator[str]:
    """Objects none of whose owners is there any more."""
    known = {objects.uid(obj) for _, obj in _everything(mirror)}
    for resource, obj in _everything(mirror):
        owners = objects.meta(obj).get("ownerReferences") or []
        if owners and not any(owner["uid"] in known for owner in owners):
            yield f"{resource} {objects.key(obj)} is an orphan: {owners[0]['kind']} is gone"


def _homeless(mirror: Mirror) -> Iterator[str]:
    """Objects whose namespace is not there."""
    spaces = {objects.name(space) for space in mirror.list("namespaces")}
    for resource, obj in _everything(mirror):
        space = objects.namespace(obj)
        if space and space not in spaces:
            yield f"{resource} {objects.key(obj)} is in a namespace that does not exist"


def _shared_addresses(mirror: Mirror) -> Iterator[str]:
    """Pods, or Services, with an address that another one has."""
    owners: dict[str, str] = {}
    for pod in mirror.list("pods"):
        if objects.spec(pod).get("hostNetwork") or objects.status(pod).get("phase") in _FINISHED:
            continue
        yield from _claim(owners, objects.status(pod).get("podIP"), f"pod {objects.key(pod)}")
    for service in mirror.list("services"):
        address = objects.spec(service).get("clusterIP")
        if address != "None":
            yield from _claim(owners, address, f"service {objects.key(service)}")


def _claim(owners: dict[str, str], address: str | None, claimant: str) -> Iterator[str]:
    if address:
        other = owners.setdefault(address, claimant)
        if other != claimant:
            yield f"{other} and {claimant} have the same address {address}"


def _stray(mirror: Mirror) -> Iterator[str]:
    """Pods on nodes that are gone, and endpoints of pods that are gone."""
    nodes = {objects.name(node) for node in mirror.list("nodes")}
    pods = {objects.uid(pod) for pod in mirror.list("pods")}
    for pod in mirror.list("pods"):
        node = objects.spec(pod).get("nodeName")
        if node and node not in nodes:
            yield f"pod {objects.key(pod)} is on node {node}, which does not exist"
    for piece in mirror.list("endpointslices.discovery.k8s.io"):
        for endpoint in piece.get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            if target.get("kind") == "Pod" and target.get("uid") not in pods:
                name = objects.key(piece)
                yield f"endpoint slice {name} names pod {target.get('name')}, which is gone"


def _twins(mirror: Mirror) -> Iterator[str]:
    """Two pods of one DaemonSet on a node: in a rolling update alone may that be."""
    first: dict[tuple[str, str], str] = {}
    for pod in mirror.list("pods"):
        owner = objects.controller_of(pod) or {}
        node = objects.spec(pod).get("nodeName")
        finished = objects.status(pod).get("phase") in _FINISHED
        if owner.get("kind") == "DaemonSet" and node and not finished:
            other = first.setdefault((owner["uid"], node), objects.key(pod))
            if other != objects.key(pod):
                yield f"pods {other} and {objects.key(pod)} of one DaemonSet are on node {node}"
