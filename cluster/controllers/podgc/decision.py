"""Which pods nobody will ever end but the pod garbage collector.

Source: the page "Pod Lifecycle" of the Kubernetes documentation ("Garbage collection of Pods").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cluster.api import conditions, objects
from cluster.controllers import podstate

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


@dataclass(slots=True)
class Doomed:
    """Pods to end, and nodes that pods name though they are not known."""

    finished: list[objects.Object] = field(default_factory=list)
    stuck: list[objects.Object] = field(default_factory=list)
    """Terminating, on a node that is out of service, or never bound to one."""
    missing_nodes: dict[str, list[objects.Object]] = field(default_factory=dict)


def decide(
    pods: Sequence[objects.Object], nodes: Mapping[str, objects.Object], threshold: int
) -> Doomed:
    """Sort `pods`. `threshold` finished ones are kept, the newest; 0 keeps all."""
    doomed = Doomed()
    finished = []
    for pod in pods:
        node = objects.spec(pod).get("nodeName") or ""
        if podstate.is_finished(pod):
            finished.append(pod)
        if objects.deleting(pod) and (not node or _out_of_service(nodes.get(node))):
            doomed.stuck.append(pod)
        elif node and node not in nodes:
            doomed.missing_nodes.setdefault(node, []).append(pod)
    excess = len(finished) - threshold
    if threshold > 0 and excess > 0:
        doomed.finished = sorted(finished, key=_expendable)[:excess]
    return doomed


def _expendable(pod: objects.Object) -> tuple[bool, str, str]:
    evicted = objects.status(pod).get("reason") == "Evicted"
    return not evicted, objects.meta(pod).get("creationTimestamp") or "", objects.name(pod)


def _out_of_service(node: objects.Object | None) -> bool:
    if node is None or conditions.is_true(node, "Ready"):
        return False
    return any(t.get("key") == OUT_OF_SERVICE for t in objects.spec(node).get("taints") or ())
