"""The group `flowcontrol.apiserver.k8s.io`, generally available from 1.29 on."""

from cluster.api.resources.model import NAME, Resource

GROUP = "flowcontrol.apiserver.k8s.io"

ROWS: tuple[Resource, ...] = (
    Resource(
        GROUP, "v1", "FlowSchema", "flowschemas", namespaced=False, subresources=("status",),
        fields=NAME, since=29,
    ),
    Resource(
        GROUP, "v1", "PriorityLevelConfiguration", "prioritylevelconfigurations",
        namespaced=False, subresources=("status",), fields=NAME, since=29,
    ),
)  # fmt: skip
