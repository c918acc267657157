"""The group `storagemigration.k8s.io`."""

from cluster.api.resources.model import NAME, Resource

ROWS: tuple[Resource, ...] = (
    Resource(
        "storagemigration.k8s.io", "v1", "StorageVersionMigration", "storageversionmigrations",
        namespaced=False, subresources=("status",), fields=NAME, since=37,
    ),
)  # fmt: skip
