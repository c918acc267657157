"""The group `apiregistration.k8s.io`."""

from cluster.api.resources.model import NAME, Resource

_GROUP = "apiregistration.k8s.io"

ROWS: tuple[Resource, ...] = (
    Resource(
        _GROUP, "v1", "APIService", "apiservices", namespaced=False,
        categories=("api-extensions",), subresources=("status",), fields=NAME,
    ),
)  # fmt: skip
