"""The group `metrics.k8s.io`, as metrics-server serves it: what nodes and pods use.

Nothing of it is stored: the API server works it out when it is asked (`apiserver.usage`).
"""

from cluster.api.resources.model import META, NAME, Resource

GROUP = "metrics.k8s.io"
NODES = f"nodes.{GROUP}"
PODS = f"pods.{GROUP}"
_READ = ("get", "list")

ROWS: tuple[Resource, ...] = (
    Resource(
        GROUP, "v1beta1", "NodeMetrics", "nodes", namespaced=False, verbs=_READ, fields=NAME
    ),
    Resource(GROUP, "v1beta1", "PodMetrics", "pods", verbs=_READ, fields=META),
)  # fmt: skip
