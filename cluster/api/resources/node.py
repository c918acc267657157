"""The group `node.k8s.io`."""

from cluster.api.resources.model import NAME, Resource

ROWS: tuple[Resource, ...] = (
    Resource("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", namespaced=False, fields=NAME),
)
