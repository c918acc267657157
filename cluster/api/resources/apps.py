"""Workloads: the group `apps`."""

from cluster.api.resources.model import META, Resource, paths

ROWS: tuple[Resource, ...] = (
    Resource(
        "apps", "v1", "Deployment", "deployments", short_names=("deploy",), categories=("all",),
        subresources=("scale", "status"), fields=META,
    ),
    Resource(
        "apps", "v1", "ReplicaSet", "replicasets", short_names=("rs",), categories=("all",),
        subresources=("scale", "status"), fields=paths("status.replicas"),
    ),
)  # fmt: skip
