"""Workloads: the group `apps`."""

from cluster.api.resources.model import META, Resource, paths

ROWS: tuple[Resource, ...] = (
    Resource("apps", "v1", "ControllerRevision", "controllerrevisions", fields=META),
    Resource(
        "apps", "v1", "DaemonSet", "daemonsets", short_names=("ds",), categories=("all",),
        subresources=("status",), fields=META,
    ),
    Resource(
        "apps", "v1", "Deployment", "deployments", short_names=("deploy",), categories=("all",),
        subresources=("scale", "status"), fields=META,
    ),
    Resource(
        "apps", "v1", "ReplicaSet", "replicasets", short_names=("rs",), categories=("all",),
        subresources=("scale", "status"), fields=paths("status.replicas"),
    ),
    Resource(
        "apps", "v1", "StatefulSet", "statefulsets", short_names=("sts",), categories=("all",),
        subresources=("scale", "status"), fields=META,
    ),
)  # fmt: skip
