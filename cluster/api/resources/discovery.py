"""The group `discovery.k8s.io`."""

from cluster.api.resources.model import META, Resource

ROWS: tuple[Resource, ...] = (
    Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", fields=META),
)  # fmt: skip
