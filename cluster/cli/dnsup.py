"""Whether the cluster's name server answers: `kubemu up` waits for it, but not for long."""

from typing import Any, Final

from cluster.api import objects

SECONDS: Final = 5.0
"""How long is waited for it after all nodes are Ready: a cluster without it is a cluster, too."""
NAMESPACE, NAME = "kube-system", "coredns"


def answers(deployment: objects.Object | None) -> bool:
    """Whether a pod of the Deployment is ready."""
    status: Any = objects.status(deployment) if deployment is not None else {}
    return bool(status.get("readyReplicas"))
