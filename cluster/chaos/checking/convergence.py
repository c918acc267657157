"""What a cluster is like that has come to rest: everything is as its specification says.

Objects are the API's documents. A complaint is a sentence; there are none in a cluster that has
converged.
"""

from collections.abc import Iterator, Mapping, Sequence

from cluster.api import conditions, objects
from cluster.api.objects import Object

_FINISHED = ("Succeeded", "Failed")
KINDS = (
    "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch",
    "pods", "services", "endpointslices.discovery.k8s.io", "nodes",
)  # fmt: skip
"""What `complaints` looks at: each of them has to be listed, by these names."""

World = Mapping[str, Sequence[Object]]


def complaints(world: World) -> list[str]:
    """What is not, or not yet, as it should be."""
    found = (_nodes, _deployments, _statefulsets, _jobs, _pods, _orphans, _endpoints)
    return [text for each in found for text in each(world)]


def _nodes(world: World) -> Iterator[str]:
    for node in world["nodes"]:
        if not conditions.is_true(node, "Ready"):
            yield f"node {objects.name(node)} is not Ready"


def _deployments(world: World) -> Iterator[str]:
    for one in world["deployments.apps"]:
        yield from _counts(
            "Deployment", one, ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        )
        yield from _owned(world, "ReplicaSet", _current(world, one))


def _current(world: World, deployment: Object) -> Iterator[Object]:
    """Its ReplicaSets that still ask for pods."""
    for one in world["replicasets.apps"]:
        owner = objects.controller_of(one) or {}
        if owner.get("uid") == objects.uid(deployment) and objects.spec(one).get("replicas"):
            yield one


def _owned(world: World, kind: str, owners: Iterator[Object]) -> Iterator[str]:
    """Owners that have not as many pods as they ask for."""
    for owner in owners:
        want = objects.spec(owner).get("replicas", 1)
        have = len([pod for pod in _pods_of(world, owner) if _alive(pod)])
        if have != want:
            yield f"{kind} {objects.key(owner)} asks for {want} pods and has {have}"


def _pods_of(world: World, owner: Object) -> Iterator[Object]:
    for pod in world["pods"]:
        if (objects.controller_of(pod) or {}).get("uid") == objects.uid(owner):
            yield pod


def _alive(pod: Object) -> bool:
    return objects.status(pod).get("phase") not in _FINISHED and not objects.deleting(pod)


def _statefulsets(world: World) -> Iterator[str]:
    for one in world["statefulsets.apps"]:
        yield from _counts("StatefulSet", one, ("replicas", "currentReplicas", "readyReplicas"))
        want = objects.spec(one).get("replicas", 1)
        names = sorted(objects.name(pod) for pod in _pods_of(world, one))
        if names != sorted(f"{objects.name(one)}-{ordinal}" for ordinal in range(want)):
            yield f"StatefulSet {objects.key(one)} asks for {want} pods and has {names}"


def _counts(kind: str, one: Object, fields: Sequence[str]) -> Iterator[str]:
    want, status = objects.spec(one).get("replicas", 1), objects.status(one)
    if status.get("observedGeneration", 0) < objects.meta(one).get("generation", 0):
        yield f"{kind} {objects.key(one)} has not been observed"
    for each in fields:
        if status.get(each, 0) != want:
            yield f"{kind} {objects.key(one)}: {each} is {status.get(each, 0)} of {want}"


def _jobs(world: World) -> Iterator[str]:
    for job in world["jobs.batch"]:
        key, status = objects.key(job), objects.status(job)
        if not conditions.is_true(job, "Complete"):
            yield f"Job {key} is not complete"
        elif status.get("succeeded", 0) != objects.spec(job).get("completions", 1):
            yield f"Job {key} is complete with {status.get('succeeded', 0)} pods that succeeded"
        if status.get("active"):
            yield f"Job {key} counts {status['active']} active pods"


def _pods(world: World) -> Iterator[str]:
    nodes = {objects.name(node) for node in world["nodes"]}
    for pod in world["pods"]:
        node, phase = objects.spec(pod).get("nodeName", ""), objects.status(pod).get("phase")
        if objects.deleting(pod):
            yield f"pod {objects.key(pod)} is still being deleted"
        elif phase in _FINISHED:
            continue
        elif not node or phase != "Running" or not conditions.is_true(pod, "Ready"):
            yield f"pod {objects.key(pod)} on {node or 'no node'} is {phase}, and not Ready"
        if node and node not in nodes:
            yield f"pod {objects.key(pod)} is on node {node}, which does not exist"


def _orphans(world: World) -> Iterator[str]:
    known = {objects.uid(one) for every in world.values() for one in every}
    for resource, every in world.items():
        for one in every:
            for owner in objects.meta(one).get("ownerReferences") or ():
                if owner["kind"] in _LISTED and owner["uid"] not in known:
                    whose = f"{owner['kind']} {owner['name']}"
                    yield f"{resource} {objects.key(one)} is an orphan of {whose}"


_LISTED = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Service"})


def _endpoints(world: World) -> Iterator[str]:
    """Services with a selector whose EndpointSlices do not name just the Ready pods."""
    named: dict[tuple[str, str], set[str]] = {}
    for piece in world["endpointslices.discovery.k8s.io"]:
        name = objects.labels(piece).get("kubernetes.io/service-name", "")
        ready = named.setdefault((objects.namespace(piece), name), set())
        for endpoint in piece.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready", True):
                ready.add((endpoint.get("targetRef") or {}).get("uid", ""))
    for service in world["services"]:
        selector = objects.spec(service).get("selector")
        if not selector:
            continue
        space = objects.namespace(service)
        wanted = {
            objects.uid(pod)
            for pod in world["pods"]
            if objects.namespace(pod) == space
            and selector.items() <= objects.labels(pod).items()
            and _alive(pod)
            and conditions.is_true(pod, "Ready")
        }
        have = named.get((space, objects.name(service)), set())
        if have != wanted:
            yield (
                f"Service {objects.key(service)} has endpoints for {len(have)} pods, "
                f"{len(wanted)} are Ready, {len(have & wanted)} are in both"
            )
