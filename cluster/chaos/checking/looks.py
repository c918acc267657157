"""What a node's runtime has, by the answers of its CRI: what `pods` judges."""

from collections.abc import Iterable
from typing import Any, Final

from cluster.chaos.checking.pods import Running
from cluster.pb.cri.v1 import api_pb2 as pb

_SET_POD: Final = "statefulset.kubernetes.io/pod-name"
_SET_LABEL: Final = "app"


def running(sandboxes: Iterable[Any], containers: Iterable[Any]) -> list[Running]:
    """The pods whose sandbox is ready, of `ListPodSandbox` and `ListContainers`' items."""
    counts: dict[str, int] = {}
    for each in containers:
        if each.state == pb.CONTAINER_RUNNING:
            counts[each.pod_sandbox_id] = counts.get(each.pod_sandbox_id, 0) + 1
    return [
        Running(
            each.metadata.uid,
            f"{each.metadata.namespace}/{each.metadata.name}",
            counts.get(each.id, 0),
            each.labels.get(_SET_LABEL, "?") if _SET_POD in each.labels else "",
        )
        for each in sandboxes
        if each.state == pb.SANDBOX_READY
    ]
