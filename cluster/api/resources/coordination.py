"""The group `coordination.k8s.io`."""

from cluster.api.resources.model import META, Resource

ROWS: tuple[Resource, ...] = (
    Resource("coordination.k8s.io", "v1", "Lease", "leases", fields=META),
)  # fmt: skip
